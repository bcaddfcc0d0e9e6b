"""The rows that start from a deep belief network or a deep Boltzmann machine."""

from __future__ import annotations

from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import (
    Activation,
    Dbm,
    Dbn,
    Dropout,
    Momentum,
    RateSchedule,
)
from trainwright.strategy import Strategy
from trainwright.system import SystemBudget, system
from trainwright.systems.dropout_table.protocol import P_HIDDEN, P_INPUT, PAPER

HINTON = f"{PAPER}; Hinton & Salakhutdinov 2006"
SALAKHUTDINOV = f"{PAPER}; Salakhutdinov & Hinton 2009"

Lengths = dict[SystemBudget, int]


def finetuned(pretraining: Strategy, hidden: tuple[int, ...], epochs: int, *strategies: Strategy) -> Recipe:
    """A pretrained network of logistic units, then trained as a whole, by convention: Nesterov's momentum 0.9
    and a learning rate that falls from 0.1 as half a cosine, batches of 100."""
    return Recipe(
        Mlp(hidden),
        (
            Activation("sigmoid"),
            pretraining,
            *strategies,
            Momentum(0.9, nesterov=True),
            RateSchedule("cosine"),
        ),
        learning_rate=0.1,
        batch_size=100,
        epochs=epochs,
    )


def deep_belief(budget: SystemBudget) -> Dbn:
    """The published pretraining, 50 passes for each machine (quick: 2)."""
    return Dbn(epochs=2 if budget == "quick" else 50)


def deep_boltzmann(budget: SystemBudget) -> Dbm:
    """The published pretraining; the programs have 100 and 200 passes for the machines, and 300 for both
    together (quick: 2 each)."""
    short = budget == "quick"
    return Dbm(epochs=2 if short else 100, joint_epochs=2 if short else 300)


@system(published=1.18, source=HINTON)
def dbn(budget: SystemBudget) -> Recipe:
    """Deep belief network, 500-500-2000, finetuned.

    - Pretraining is the published program's. Finetuning there is 200 passes of conjugate gradients, the first
      five on the output weights alone; here gradient descent on all layers, 100 passes (paper: 200).
    """
    epochs: Lengths = {"quick": 5, "standard": 100, "paper": 200}
    return finetuned(deep_belief(budget), (500, 500, 2000), epochs[budget])


@system(published=0.96, source=SALAKHUTDINOV)
def dbm(budget: SystemBudget) -> Recipe:
    """Deep Boltzmann machine, 500-1000, finetuned.

    - The paper's table says 500-500-2000; the published program, and the earlier version of the paper, have
      500-1000, as here.
    - The machine does not see the labels, as the published top layer does; both machines have 100 passes,
      there 100 and 200; one sparsity target of 0.2 stands for 0.2 and 0.1.
    - Finetuning there is 100 passes of conjugate gradients, here 100 of gradient descent.
    """
    epochs: Lengths = {"quick": 5, "standard": 100, "paper": 100}
    return finetuned(deep_boltzmann(budget), (500, 1000), epochs[budget])


@system(published=0.92, source=PAPER)
def dbn_dropout(budget: SystemBudget) -> Recipe:
    """Deep belief network, 500-500-2000, finetuned with dropout.

    - The pretraining is that of dbn, and is shared with it. Length (300 passes; paper: 1000, as in Hinton et
      al. 2012) and rate of the finetuning are by convention; dropout scales in training, so the pretrained
      weights need no factor.
    """
    epochs: Lengths = {"quick": 5, "standard": 300, "paper": 1000}
    drop = Dropout(1 - P_HIDDEN, 1 - P_INPUT)
    return finetuned(deep_belief(budget), (500, 500, 2000), epochs[budget], drop)


@system(published=0.79, source=PAPER)
def dbm_dropout(budget: SystemBudget) -> Recipe:
    """Deep Boltzmann machine, 500-1000, finetuned with dropout.

    - The pretraining is that of dbm, with its deviations, and is shared with it. Length and rate of the
      finetuning are those of dbn-dropout.
    """
    epochs: Lengths = {"quick": 5, "standard": 300, "paper": 1000}
    drop = Dropout(1 - P_HIDDEN, 1 - P_INPUT)
    return finetuned(deep_boltzmann(budget), (500, 1000), epochs[budget], drop)

"""What the rows of the dropout paper's table share: its settings; how a network with dropout is trained."""

from __future__ import annotations

from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import Dropout, MaxNorm, Momentum, RateSchedule
from trainwright.strategy import Strategy
from trainwright.system import SystemBudget

PAPER = "Srivastava et al. 2014, table 2"

P_INPUT, P_HIDDEN, C = 0.8, 0.5, 2.0
"""The paper's probabilities to retain a unit, and its largest norm of a unit's incoming weights."""

INVERTED = MaxNorm(P_HIDDEN * C, first=P_INPUT * C)
"""The paper's max-norm where dropout scales in training."""

UPDATES = 1_000_000
"""The paper's length."""

RATE = 1.0
"""The authors' code: the first learning rate, for a network with max-norm."""

HALF_LIFE = 10_000
"""The authors' code: after so many updates the learning rate is half of its first, after twice as many a
third."""

RAMP = 100_000
"""The authors' code: momentum reaches its final value after so many updates."""


def dropout_net(
    budget: SystemBudget,
    network: Mlp,
    *strategies: Strategy,
    epochs: dict[SystemBudget, int],
    paper_rate: float = RATE,
) -> Recipe:
    """A network with dropout and further strategies, of which max-norm is given as the paper gives it.

    `epochs`: the length under the budgets quick and standard. `paper_rate`: the first learning rate under the
    budget paper.
    """
    if budget == "paper":
        return Recipe(
            network,
            (
                Dropout(1 - P_HIDDEN, 1 - P_INPUT, scaling="test"),
                *strategies,
                Momentum(0.95, start=0.5, ramp_steps=RAMP),
                RateSchedule("inverse_time", final=1 / (1 + UPDATES / HALF_LIFE)),
            ),
            learning_rate=paper_rate,
            batch_size=100,
            steps=UPDATES,
        )
    inverted = [INVERTED if isinstance(strategy, MaxNorm) else strategy for strategy in strategies]
    return Recipe(
        network,
        (
            Dropout(1 - P_HIDDEN, 1 - P_INPUT),
            *inverted,
            Momentum(0.9, nesterov=True),
            RateSchedule("cosine"),
        ),
        learning_rate=0.1,
        batch_size=128,
        epochs=epochs[budget],
    )

"""The rows without pretraining: a standard network, an SVM, networks with dropout, maxout."""

from __future__ import annotations

from trainwright.baselines import Svm
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.strategies import (
    Activation,
    Dropout,
    EarlyStopping,
    Initialization,
    MaxNorm,
    Momentum,
    RateSchedule,
)
from trainwright.system import SystemBudget, system
from trainwright.systems.dropout_table.protocol import P_HIDDEN, P_INPUT, PAPER, C, dropout_net


@system(published=1.60, source=f"{PAPER}; Simard et al. 2003")
def standard_800(budget: SystemBudget) -> Recipe:
    """Standard network, 800 logistic units in one hidden layer.

    - Neither source says how it was trained. Here, in all budgets but quick: 100 passes over the data in
      batches of 32, Nesterov's momentum 0.9 and a learning rate that falls from 0.05 as half a cosine. Batch
      and rate are the best of nine that were tried on validation (`benchmarks/schedule.py`): smaller batches
      did better, with the noise of their gradients the only regularization that the network has.
    - The lecture calls it a network of 2 layers with 800 units; the source has one hidden layer of 800.
    """
    return Recipe(
        Mlp((800,)),
        (
            Activation("sigmoid"),
            Initialization("glorot_uniform"),
            Momentum(0.9, nesterov=True),
            RateSchedule("cosine"),
        ),
        learning_rate=0.05,
        batch_size=32,
        epochs={"quick": 10, "standard": 100, "paper": 100}[budget],
    )


@system(published=1.40, source=f"{PAPER}; LeCun et al. 1998")
def svm(budget: SystemBudget) -> Svm:
    """SVM with a Gaussian kernel.

    - Neither C nor gamma is published: C = 10 and gamma = 0.025 for pixels in [0, 1], by convention.
    - Budget quick learns from 10,000 examples.
    """
    return Svm(cost=10.0, width=0.025, examples=10_000 if budget == "quick" else 60_000)


@system(published=1.35, source=PAPER)
def dropout_3x1024_logistic(budget: SystemBudget) -> Recipe:
    """Dropout, 3 × 1,024 logistic units.

    - First weights are orthogonal with gain 4, the inverse of the logistic function's steepest slope; the
      paper does not say. With Glorot's the network had learned nothing after 500 updates, at rates
      0.1 and 1.0.
    - Budget paper: batch size, decay and momentum's rise are those of the authors' code for another network;
      the learning rate falls from 0.1, where that network, which has max-norm, starts from 1.0.
    - Budget standard: instead of 1,000,000 updates with final momentum 0.95, 300 passes over the data in
      batches of 128, Nesterov's momentum 0.9, and a learning rate that falls from 0.1 as half a cosine.
    """
    return dropout_net(
        budget,
        Mlp((1024,) * 3),
        Activation("sigmoid"),
        Initialization("orthogonal", gain=4.0),
        epochs={"quick": 10, "standard": 300},
        paper_rate=0.1,
    )


@system(published=1.25, source=PAPER)
def dropout_3x1024(budget: SystemBudget) -> Recipe:
    """Dropout, 3 × 1,024 rectified linear units.

    - The paper's table 9 has 1.25 for dropout with an L2 penalty on another network, so this row may have had
      one too; here it has none.
    - First weights are He's (variance 2 / fan-in); the paper does not say.
    - Budget paper: batch size, decay and momentum's rise are those of the authors' code for another network;
      the learning rate falls from 0.1, where that network, which has max-norm, starts from 1.0.
    - Budget standard: instead of 1,000,000 updates with final momentum 0.95, 300 passes over the data in
      batches of 128, Nesterov's momentum 0.9, and a learning rate that falls from 0.1 as half a cosine.
    """
    return dropout_net(budget, Mlp((1024,) * 3), epochs={"quick": 10, "standard": 300}, paper_rate=0.1)


@system(published=1.06, source=PAPER)
def dropout_3x1024_max_norm(budget: SystemBudget) -> Recipe:
    """Dropout and max-norm, 3 × 1,024 rectified linear units.

    - First weights are He's (variance 2 / fan-in); the paper does not say.
    - Budget paper: learning rate, decay, batch size and momentum's rise are those of the authors' code for
      another network.
    - Budget standard: instead of 1,000,000 updates with final momentum 0.95, 300 passes over the data in
      batches of 128, Nesterov's momentum 0.9, and a learning rate that falls from 0.1 as half a cosine.
    """
    return dropout_net(budget, Mlp((1024,) * 3), MaxNorm(C), epochs={"quick": 10, "standard": 300})


@system(published=1.04, source=PAPER)
def dropout_3x2048_max_norm(budget: SystemBudget) -> Recipe:
    """Dropout and max-norm, 3 × 2,048 rectified linear units.

    - As dropout-3x1024-max-norm, with 200 passes in budget standard.
    """
    return dropout_net(budget, Mlp((2048,) * 3), MaxNorm(C), epochs={"quick": 4, "standard": 200})


@system(published=1.01, source=PAPER)
def dropout_2x4096_max_norm(budget: SystemBudget) -> Recipe:
    """Dropout and max-norm, 2 × 4,096 rectified linear units.

    - As dropout-3x1024-max-norm, with 150 passes in budget standard.
    """
    return dropout_net(budget, Mlp((4096,) * 2), MaxNorm(C), epochs={"quick": 3, "standard": 150})


@system(published=0.95, source=PAPER)
def dropout_2x8192_max_norm(budget: SystemBudget) -> Recipe:
    """Dropout and max-norm, 2 × 8,192 rectified linear units.

    - As dropout-3x1024-max-norm, with 100 passes in budget standard.
    """
    return dropout_net(budget, Mlp((8192,) * 2), MaxNorm(C), epochs={"quick": 1, "standard": 100})


EPOCH = 500
"""The maxout paper's updates in one pass over its 50,000 training examples."""

DECAY = 1.000004
"""What its learning rate is divided by at each update."""


@system(published=0.94, source=f"{PAPER}; Goodfellow et al. 2013 (arXiv 1302.4389), section 5.1", staged=True)
def maxout_2x240(budget: SystemBudget) -> Recipe:
    """Maxout, 2 layers of 240 units with 5 pieces each, dropout and max-norm.

    The settings are those of the authors' configuration (github.com/lisa-lab/pylearn2,
    `scripts/papers/maxout/mnist_pi.yaml` and `mnist_pi_continued.yaml`): train on 50,000 examples until 100
    passes have brought no better validation error; go on from the best weights with all 60,000 until the
    validation loss is down to the training loss at these (Algorithm 7.3 of Goodfellow, Bengio & Courville).

    - The original multiplies inputs by their masks and by nothing else, in training as in predicting, where
      they are 1 / 0.8 larger on average. Here kept inputs are divided by 0.8 in training, so that their mean
      is the same; hence max-norm 1.55 = 0.8 × 1.9365 on the first layer.
    - Momentum rises with each update, there with each pass; in the second stage it goes on to rise, there it
      stays at 0.694, and the velocity is kept, there it starts from 0.
    - The learning rate has no floor; the original's of 1e-6 is never reached.
    - At most 1,000 passes (quick: 10).
    """
    epochs = {"quick": 10, "standard": 1000, "paper": 1000}[budget]
    norm = 1.9365
    return Recipe(
        Mlp((240, 240)),
        (
            Activation("maxout", pieces=5),
            Initialization("uniform", std=0.005 / 3**0.5),
            Dropout(1 - P_HIDDEN, 1 - P_INPUT),
            MaxNorm(norm, first=P_INPUT * norm),
            Momentum(0.7, start=0.5, ramp_steps=250 * EPOCH),
            RateSchedule("exponential", final=DECAY ** (-epochs * EPOCH)),
            EarlyStopping(patience=100, monitor="error", retrain="onward"),
        ),
        learning_rate=0.1,
        batch_size=100,
        epochs=epochs,
    )

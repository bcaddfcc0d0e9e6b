"""Task: what a network's outputs mean, how they are scored and what training minimises by default.

A task owns the targets' encoding, the loss, the predictions and the error, so that the loop needs to know
neither classes nor values. All functions are pure and may be traced.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from trainwright.data import sequences
from trainwright.data.dataset import Dataset
from trainwright.data.targets import TaskName


class Scores(NamedTuple):
    """How good predictions are, over the examples; each a float32 scalar."""

    loss: jax.Array
    """The task's own, whatever the recipe's cost: in nats, or half the squared error."""
    error: jax.Array
    """The fraction of wrong answers; of a quantity, the root mean squared error in standard units."""


class Task(Protocol):
    """What a network is trained for; a frozen value, part of the compiled program's structure."""

    outputs: int
    """How many numbers a network has to put out for an example."""

    def encode(self, targets: jax.Array) -> jax.Array:
        """Targets (examples, ...) as the loss takes them, float32 (examples, outputs)."""

    def loss(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """Each example's loss (examples,) from outputs and encoded targets, both (examples, outputs)."""

    def objective(self, outputs: jax.Array, loss: Callable[[jax.Array], jax.Array]) -> jax.Array:
        """What training minimises for each example (examples,), from all that a network puts out in training.

        `loss` is that of outputs (examples, outputs), and knows the targets.
        """
        return loss(outputs)

    def predict(self, outputs: jax.Array) -> jax.Array:
        """Predictions (examples, outputs) from a network's outputs."""

    def divergence(self, outputs: jax.Array, others: jax.Array) -> jax.Array:
        """How far what `others` predict is from what `outputs` predict, both (examples, outputs): the
        Kullback-Leibler divergence of the one from the other in nats, (examples,)."""

    def average(self, predictions: jax.Array) -> jax.Array:
        """The mean of predictions over the first axis."""

    def score(self, predicted: jax.Array, targets: jax.Array, weights: jax.Array) -> Scores:
        """The scores of predictions (examples, outputs) against targets (examples, ...), each example counted
        as `weights` (examples,) says; 0 for what is only padding."""


@dataclass(frozen=True)
class Classification(Task):
    """One of several classes: log-probabilities, cross-entropy in nats, and the fraction that went wrong.

    >>> task = Classification(2)
    >>> predicted = task.predict(jnp.array([[2.0, 0.0], [0.0, 3.0]]))
    >>> float(task.score(predicted, jnp.array([0, 0]), jnp.ones(2)).error)
    0.5
    """

    outputs: int
    """How many classes there are."""

    def encode(self, targets: jax.Array) -> jax.Array:
        """Class numbers (examples,) as one-hot rows."""
        return jax.nn.one_hot(targets, self.outputs)

    def loss(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """The cross-entropy of the softmax of the outputs."""
        loss: jax.Array = optax.losses.softmax_cross_entropy(outputs, y)
        return loss

    def predict(self, outputs: jax.Array) -> jax.Array:
        """Log-probabilities."""
        return jax.nn.log_softmax(outputs)

    def divergence(self, outputs: jax.Array, others: jax.Array) -> jax.Array:
        """sum p (log p - log q), with p and q the softmax of the two."""
        return _divergence(self.predict(outputs), self.predict(others))

    def average(self, predictions: jax.Array) -> jax.Array:
        """The logarithm of the mean probability."""
        return _log_mean(predictions)

    def score(self, predicted: jax.Array, targets: jax.Array, weights: jax.Array) -> Scores:
        """The mean negative log-probability of the right class, and the fraction of wrong answers."""
        right = (self.encode(targets) * predicted).sum(axis=-1)
        wrong = (predicted.argmax(axis=-1) != targets).astype(jnp.float32)
        return Scores(-_mean(right, weights), _mean(wrong, weights))


@dataclass(frozen=True)
class Regression(Task):
    """One standardised quantity: half the squared error, and its root mean.

    >>> values = jnp.array([[1.0], [3.0]])
    >>> float(Regression().score(values, jnp.array([0.0, 3.0]), jnp.ones(2)).loss)
    0.25
    """

    outputs: int = 1
    """How many values are predicted."""

    def encode(self, targets: jax.Array) -> jax.Array:
        """Values (examples,) as a column."""
        return targets[:, None]

    def loss(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """Half the squared distance of outputs and targets."""
        return jnp.sum(jnp.square(outputs - y), axis=-1) / 2

    def predict(self, outputs: jax.Array) -> jax.Array:
        """The outputs themselves."""
        return outputs

    def divergence(self, outputs: jax.Array, others: jax.Array) -> jax.Array:
        """That of two normal distributions of unit variance: half their means' squared distance."""
        return self.loss(outputs, others)

    def average(self, predictions: jax.Array) -> jax.Array:
        """The mean value."""
        return predictions.mean(axis=0)

    def score(self, predicted: jax.Array, targets: jax.Array, weights: jax.Array) -> Scores:
        """Half the mean squared error, and the root of the mean squared error."""
        squared = _mean(jnp.square(predicted - self.encode(targets)).sum(axis=-1), weights)
        return Scores(squared / 2, jnp.sqrt(squared))


@dataclass(frozen=True)
class Sequence(Task):
    """A number of up to five digits: a softmax for its length and one for each digit.

    Targets and outputs are those of `trainwright.data.sequences`, which has the mathematics. An absent digit
    sends no gradient. The error is the fraction of numbers that are wrong anywhere.

    >>> task = Sequence()
    >>> target = jnp.array([[1, 7, -1, -1, -1, -1]])
    >>> predicted = task.predict(20 * task.encode(target))
    >>> round(float(task.score(predicted, target, jnp.ones(1)).error), 3)
    0.0
    """

    outputs: int = sequences.OUTPUTS
    """How many numbers the six softmaxes take."""

    def encode(self, targets: jax.Array) -> jax.Array:
        """Lengths and digits (examples, 6) as one-hot heads (examples, 57); an absent digit is all zeros."""
        encoded: jax.Array = sequences.encode(targets, jnp)
        return encoded

    def loss(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """-log P of the right sequence."""
        return -jnp.sum(y * self.predict(outputs), axis=-1)

    def predict(self, outputs: jax.Array) -> jax.Array:
        """Log-probabilities, softmax by softmax."""
        return jnp.concatenate([jax.nn.log_softmax(outputs[..., head]) for head in sequences.HEADS], axis=-1)

    def divergence(self, outputs: jax.Array, others: jax.Array) -> jax.Array:
        """The sum of p (log p - log q) over all sequences: the length's divergence, and each digit's times
        the probability that there is one."""
        log_p, log_q = self.predict(outputs), self.predict(others)
        each = jnp.exp(log_p) * (log_p - log_q)
        length, *digits = (each[..., head].sum(axis=-1) for head in sequences.HEADS)
        lengths = jnp.exp(log_p[..., 1 : sequences.PLACES + 1])
        present = jnp.cumsum(lengths[..., ::-1], axis=-1)[..., ::-1]  # P(L >= i), more than five left out
        return length + (present * jnp.stack(digits, axis=-1)).sum(axis=-1)

    def average(self, predictions: jax.Array) -> jax.Array:
        """The logarithm of each answer's mean probability, softmax by softmax."""
        return _log_mean(predictions)

    def score(self, predicted: jax.Array, targets: jax.Array, weights: jax.Array) -> Scores:
        """The mean -log P of the right sequence, and the fraction of sequences that are wrong anywhere."""
        right = sequences.log_probability(predicted, targets, jnp)
        wrong = sequences.wrong(predicted, targets, jnp).astype(jnp.float32)
        return Scores(-_mean(right, weights), _mean(wrong, weights))


@dataclass(frozen=True)
class WithHeads(Task):
    """A task that auxiliary heads of a network help to learn (Szegedy et al. 2014, section 5).

    In training the network's outputs are followed by those of its heads, each of which says the same of an
    example. Their losses are added, less weighted. Predicted and scored is what the network itself says.

    >>> task = WithHeads(Regression(), heads=2, weight=0.3)
    >>> y = jnp.zeros((1, 1))
    >>> float(task.objective(jnp.array([[2.0, 1.0, 3.0]]), lambda outputs: task.loss(outputs, y))[0])
    3.5
    """

    task: Task
    """What the network, and each head, is trained for."""
    heads: int
    """How many heads there are."""
    weight: float
    """What multiplies a head's loss."""

    @property
    def outputs(self) -> int:  # type: ignore[override]  # never set on either
        """How many numbers the network itself puts out."""
        return self.task.outputs

    def encode(self, targets: jax.Array) -> jax.Array:
        """As the task does."""
        return self.task.encode(targets)

    def loss(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """As the task does."""
        return self.task.loss(outputs, y)

    def objective(self, outputs: jax.Array, loss: Callable[[jax.Array], jax.Array]) -> jax.Array:
        """The network's loss, and the heads' times their weight."""
        own, *heads = jnp.split(outputs, 1 + self.heads, axis=-1)
        return loss(own) + self.weight * sum(map(loss, heads), jnp.float32(0))

    def predict(self, outputs: jax.Array) -> jax.Array:
        """As the task does."""
        return self.task.predict(outputs)

    def divergence(self, outputs: jax.Array, others: jax.Array) -> jax.Array:
        """That of what the network itself predicts."""
        return self.task.divergence(outputs[..., : self.outputs], others[..., : self.outputs])

    def average(self, predictions: jax.Array) -> jax.Array:
        """As the task does."""
        return self.task.average(predictions)

    def score(self, predicted: jax.Array, targets: jax.Array, weights: jax.Array) -> Scores:
        """As the task does."""
        return self.task.score(predicted, targets, weights)


def task_of(data: Dataset) -> Task:
    """What a network is trained for on this data set.

    >>> from trainwright.data import load
    >>> task_of(load("digits"))
    Classification(outputs=10)
    """
    return task_named(data.task, len(data.classes))


def task_named(name: TaskName, classes: int) -> Task:
    """The task of this name, with so many classes."""
    match name:
        case "classification":
            return Classification(classes)
        case "regression":
            return Regression()
        case "sequence":
            return Sequence()


def _divergence(log_p: jax.Array, log_q: jax.Array) -> jax.Array:
    return jnp.sum(jnp.exp(log_p) * (log_p - log_q), axis=-1)


def _log_mean(predictions: jax.Array) -> jax.Array:
    mean: jax.Array = jax.nn.logsumexp(predictions, axis=0) - jnp.log(len(predictions))
    return mean


def _mean(values: jax.Array, weights: jax.Array) -> jax.Array:
    return jnp.sum(values * weights) / jnp.sum(weights)

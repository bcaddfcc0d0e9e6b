"""Task: what a network's outputs mean, how they are scored and what training minimises by default.

A task owns the targets' encoding, the loss, the predictions and the error, so that the loop needs to know
neither classes nor values. All functions are pure and may be traced.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import jax
import jax.numpy as jnp
import optax

from trainwright.data import sequences
from trainwright.data.dataset import Dataset


class Scores(NamedTuple):
    """The mean loss and the error of predictions, each a float32 scalar."""

    loss: jax.Array
    error: jax.Array


class Task(Protocol):
    """What a network is trained for; a frozen value, part of the compiled program's structure."""

    @property
    def outputs(self) -> int:
        """How many numbers a network has to put out for an example."""

    def encode(self, targets: jax.Array) -> jax.Array:
        """Targets (examples, ...) as the loss takes them, float32 (examples, outputs)."""

    def loss(self, outputs: jax.Array, y: jax.Array) -> jax.Array:
        """Each example's loss (examples,) from outputs and encoded targets, both (examples, outputs)."""

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
class Classification:
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
class Regression:
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
class Sequence:
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
        """Log-probabilities, head by head."""
        return jnp.concatenate([jax.nn.log_softmax(outputs[..., head]) for head in sequences.HEADS], axis=-1)

    def divergence(self, outputs: jax.Array, others: jax.Array) -> jax.Array:
        """The sum of the heads' divergences."""
        return _divergence(self.predict(outputs), self.predict(others))

    def average(self, predictions: jax.Array) -> jax.Array:
        """The logarithm of each answer's mean probability, head by head."""
        return _log_mean(predictions)

    def score(self, predicted: jax.Array, targets: jax.Array, weights: jax.Array) -> Scores:
        """The mean -log P of the right sequence, and the fraction of sequences that are wrong anywhere."""
        right = sequences.log_probability(predicted, targets, jnp)
        wrong = sequences.wrong(predicted, targets, jnp).astype(jnp.float32)
        return Scores(-_mean(right, weights), _mean(wrong, weights))


def task_of(data: Dataset) -> Task:
    """What a network is trained for on this data set.

    >>> from trainwright.data import load
    >>> task_of(load("digits"))
    Classification(outputs=10)
    """
    match data.task:
        case "classification":
            return Classification(len(data.classes))
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

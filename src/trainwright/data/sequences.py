"""Sequences: a number of up to five digits as a target, and what a network says of one.

A target is int32 (6,): the length, then the five digits, -1 where there is none. The length is 0 to 5, or 6
for "more than five", where no digit counts. A network puts out 57 numbers: 7 for the length, then 10 for each
digit.

Source: Goodfellow et al. 2014 (arXiv 1312.6082), section 3: log P = log P(L) + the sum over i <= L of
log P(S_i), all given the image; the most probable sequence is found by a running sum.

The functions on predictions and targets take NumPy's arrays, or `jax.numpy`'s with `xp=jax.numpy`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

PLACES, DIGITS, LENGTHS = 5, 10, 7
OUTPUTS = LENGTHS + PLACES * DIGITS
"""How many numbers a network puts out for an example."""
HEADS = (slice(LENGTHS), *(slice(first, first + DIGITS) for first in range(LENGTHS, OUTPUTS, DIGITS)))
"""The outputs of each softmax: the length's, then each digit's."""


def encode(targets: Any, xp: Any = np) -> Any:
    """Targets (examples, 6) as float32 (examples, 57): one-hot in each head, zeros where a digit is absent.

    >>> row = encode(np.int32([[2, 4, 0, -1, -1, -1]]))[0]
    >>> [int(row[head].argmax()) if row[head].any() else None for head in HEADS]
    [2, 4, 0, None, None, None]
    """
    length, digits = targets[:, :1], targets[:, 1:]
    present = (xp.arange(PLACES) < length) & (length <= PLACES)
    which = xp.where(present, digits, -1)
    one_hot = which[:, :, None] == xp.arange(DIGITS)
    heads = [length == xp.arange(LENGTHS), one_hot.reshape(len(targets), -1)]
    return xp.concatenate(heads, axis=1).astype(np.float32)


def log_probability(predicted: Any, targets: Any, xp: Any = np) -> Any:
    """log P of each target (examples, 6), from log-probabilities (examples, 57): (examples,)."""
    # Not a product: an impossible answer (-inf) of a head that does not count is no NaN.
    return xp.where(encode(targets, xp) > 0, predicted, xp.zeros_like(predicted)).sum(axis=1)


def decode(predicted: Any, xp: Any = np) -> Any:
    """The most probable sequence of log-probabilities (examples, 57), as a target: int32 (examples, 6).

    >>> said = np.full((1, OUTPUTS), -9.0)
    >>> said[0, [2, 7 + 4, 17 + 0, 27 + 3]] = -0.1
    >>> decode(said).tolist()
    [[2, 4, 0, -1, -1, -1]]
    """
    digits = predicted[:, LENGTHS:].reshape(len(predicted), PLACES, DIGITS)
    running = xp.cumsum(digits.max(axis=2), axis=1)
    none = xp.zeros_like(running[:, :1])
    length = (predicted[:, :LENGTHS] + xp.concatenate([none, running, none], axis=1)).argmax(axis=1)[:, None]
    present = (xp.arange(PLACES) < length) & (length <= PLACES)
    best = xp.where(present, digits.argmax(axis=2), -1)
    return xp.concatenate([length, best], axis=1).astype(np.int32)


def wrong(predicted: Any, targets: Any, xp: Any = np) -> Any:
    """Whether each sequence is wrong anywhere, length included: bool (examples,).

    Digits that the target's length does not count are not compared.
    """
    decoded = decode(predicted, xp)
    length = targets[:, :1]
    counts = (xp.arange(PLACES) < length) & (length <= PLACES)
    digits_differ = (counts & (decoded[:, 1:] != targets[:, 1:])).any(axis=1)
    return (decoded[:, 0] != targets[:, 0]) | digits_differ


def from_texts(numbers: Sequence[str]) -> NDArray[np.int32]:
    """Numbers written in decimal digits as targets, int32 (numbers, 6). Raises `ValueError` for other text.

    >>> from_texts(["210", "1234567"]).tolist()
    [[3, 2, 1, 0, -1, -1], [6, 1, 2, 3, 4, 5]]
    """
    targets = np.full((len(numbers), 1 + PLACES), -1, np.int32)
    for target, number in zip(targets, numbers, strict=True):
        if number and not (number.isascii() and number.isdecimal()):
            raise ValueError(f"{number!r} does not consist of the digits 0 to 9")
        target[0] = min(len(number), PLACES + 1)
        target[1 : 1 + len(number)] = [int(digit) for digit in number[:PLACES]]
    return targets


def to_texts(targets: NDArray[np.integer[Any]]) -> list[str]:
    """Targets (examples, 6) as numbers written in digits; "more than 5 digits" for those.

    >>> to_texts(np.array([[2, 4, 0, -1, -1, -1], [6, 1, 2, 3, 4, 5]]))
    ['40', 'more than 5 digits']
    """
    return [
        "".join(map(str, digits[:length])) if length <= PLACES else f"more than {PLACES} digits"
        for length, *digits in targets.tolist()
    ]


def guess(targets: NDArray[Any]) -> NDArray[np.float64]:
    """For each of these targets the log-probabilities of the best guess that looks at no input,
    (examples, 57)."""
    with np.errstate(divide="ignore"):
        return np.broadcast_to(np.log(shares(targets)), (len(targets), OUTPUTS))


def shares(targets: NDArray[Any]) -> NDArray[np.float64]:
    """How often each answer of each head is right, (57,); equal shares for a digit that no target has.

    >>> shares(np.int32([[1, 4, -1, -1, -1, -1], [2, 4, 0, -1, -1, -1]]))[[1, 2, 7 + 4, 17 + 0, 27]]
    array([0.5, 0.5, 1. , 1. , 0.1])
    """
    counts = encode(targets).sum(axis=0, dtype=np.float64)
    return np.concatenate(
        [counts[head] / counts[head].sum() if counts[head].any() else _equal(counts[head]) for head in HEADS]
    )


def wrong_digits(predicted: Any, targets: Any) -> Any:
    """How many of each target's digits are wrong or missing in the most probable sequence, (examples,)."""
    length = targets[:, :1]
    counts = (np.arange(PLACES) < length) & (length <= PLACES)
    return (counts & (decode(predicted)[:, 1:] != targets[:, 1:])).sum(axis=1)


def _equal(counts: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.full(len(counts), 1 / len(counts))

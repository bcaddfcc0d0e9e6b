"""Sequences of digits against enumeration of every answer."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from trainwright.data import sequences
from trainwright.data.sequences import HEADS, OUTPUTS
from trainwright.task import Sequence

TASK = Sequence()
LOGITS = np.random.default_rng(0).normal(0, 2, (8, OUTPUTS)).astype(np.float32)
PREDICTED = np.asarray(TASK.predict(jnp.asarray(LOGITS)))


def target(*digits):
    return [len(digits), *digits, *[-1] * (5 - len(digits))]


def direct(log_probabilities, sequence):
    """log P(L) + the sum over i <= L of log P(S_i), head by head."""
    length, *digits = sequence
    total = log_probabilities[HEADS[0]][length]
    if length <= 5:
        total += sum(log_probabilities[HEADS[i + 1]][digits[i]] for i in range(length))
    return total


def answers(length):
    """Every answer of this length."""
    return ([length, *digits, *[-1] * (5 - length)] for digits in itertools.product(range(10), repeat=length))


def test_the_probabilities_of_all_answers_sum_to_one():
    # Of lengths 0 to 3 one by one; the longer ones have the length's own probability together.
    short = np.array([a for length in range(4) for a in answers(length)])
    spread = np.repeat(PREDICTED[:1], len(short), axis=0)
    total = np.exp(sequences.log_probability(spread, short)).sum()
    rest = np.exp(PREDICTED[0, 4:7]).sum()
    assert total + rest == pytest.approx(1, abs=1e-5)


def test_log_probability_and_loss_are_the_sum_of_the_heads():
    targets = np.array(
        [
            target(),
            target(7),
            target(1, 2),
            target(0, 0, 9),
            target(4, 3, 2, 1),
            target(5, 5, 5, 5, 5),
            [6, -1, -1, -1, -1, -1],
            [6, 1, 2, 3, 4, 5],
        ]
    )
    wanted = [direct(row, answer) for row, answer in zip(PREDICTED, targets.tolist(), strict=True)]
    np.testing.assert_allclose(sequences.log_probability(PREDICTED, targets), wanted, rtol=1e-5)
    losses = TASK.loss(jnp.asarray(LOGITS), TASK.encode(jnp.asarray(targets)))
    np.testing.assert_allclose(losses, -np.array(wanted), rtol=1e-5)
    scored = TASK.score(jnp.asarray(PREDICTED), jnp.asarray(targets), jnp.ones(8))
    assert float(scored.loss) == pytest.approx(-np.mean(wanted), rel=1e-5)


@pytest.mark.parametrize("row", range(8))
def test_the_decoded_answer_beats_every_other(row):
    short = [a for length in range(4) for a in answers(length)]
    best = {
        length: [int(np.argmax(PREDICTED[row, head])) for head in HEADS[1 : length + 1]] for length in (4, 5)
    }
    every = [*short, *(target(*digits) for digits in best.values()), [6, -1, -1, -1, -1, -1]]
    likeliest = max(every, key=lambda answer: direct(PREDICTED[row], answer))
    assert sequences.decode(PREDICTED[row : row + 1])[0].tolist() == likeliest


def test_an_absent_digit_sends_no_gradient():
    y = TASK.encode(jnp.array([target(3, 1)]))
    gradient = jax.grad(lambda z: TASK.loss(z, y).sum())(jnp.asarray(LOGITS[:1]))[0]
    assert np.abs(gradient[: HEADS[2].stop]).min() > 0
    np.testing.assert_array_equal(gradient[HEADS[3].start :], 0)


def test_a_number_is_wrong_if_anything_is():
    targets = np.array([target(1, 2), target(1, 2), target(1, 2), target(1, 2), [6, 1, 2, 3, 4, 5]])
    said = np.array([target(1, 2), target(1, 3), target(1), target(1, 2, 0), [6, -1, -1, -1, -1, -1]])
    predicted = np.log(sequences.encode(said) * 0.8 + 0.01)
    assert sequences.wrong(predicted, targets).tolist() == [False, True, True, True, False]
    error = TASK.score(jnp.asarray(predicted), jnp.asarray(targets), jnp.ones(5)).error
    assert float(error) == pytest.approx(3 / 5)


def test_numpy_and_jax_agree():
    targets = np.array([target(4, 2), target(1, 2, 3, 4, 5), target()])
    np.testing.assert_array_equal(sequences.encode(targets), sequences.encode(jnp.asarray(targets), jnp))
    np.testing.assert_array_equal(sequences.decode(PREDICTED), sequences.decode(jnp.asarray(PREDICTED), jnp))
    assert (sequences.decode(PREDICTED).dtype, sequences.encode(targets).dtype) == (np.int32, np.float32)


def test_averaging_is_of_probabilities():
    mean = TASK.average(jnp.stack([jnp.asarray(PREDICTED[:2]), jnp.asarray(PREDICTED[2:4])]))
    np.testing.assert_allclose(np.exp(mean), (np.exp(PREDICTED[:2]) + np.exp(PREDICTED[2:4])) / 2, rtol=1e-4)


def test_the_divergence_is_over_all_sequences():
    # Only lengths up to 2 are likely, so that their sequences can be listed.
    logits = LOGITS[:2].copy()
    logits[:, 3:6] -= 60
    log_p, log_q = np.asarray(TASK.predict(jnp.asarray(logits)), np.float64)
    every = [a for length in range(3) for a in answers(length)] + [[6, -1, -1, -1, -1, -1]]
    p, q = (np.array([direct(row, answer) for answer in every]) for row in (log_p, log_q))
    wanted = np.sum(np.exp(p) * (p - q))
    assert float(TASK.divergence(*map(jnp.asarray, logits))) == pytest.approx(wanted, rel=1e-4)

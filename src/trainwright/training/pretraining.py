"""Pretraining: what a recipe's strategy trains on inputs alone, before the training proper.

It has a loop of its own, for here are no phases and no cohorts, and a step is the pretraining's own. An epoch
is one compiled program that scans over its steps with the data on the device, as an interval of the training
proper is. A checkpoint may follow it, from which an interrupted pretraining resumes. One network is
pretrained at a time, whatever the cohort's width. What a pretraining leaves is kept by a name made of all
that decides it, so that trainings which begin alike share it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import ArrayLike, NDArray

from trainwright.base import keys
from trainwright.base.environment import environment
from trainwright.data.dataset import Dataset
from trainwright.pretraining import Arrays, Pretraining
from trainwright.runs.run import Pretrained, arrays_of
from trainwright.runs.store import pretraining_digest
from trainwright.training import step
from trainwright.training.batches import order
from trainwright.training.building import EXAMPLES, Training, pretrainings, to_device, to_host
from trainwright.training.checkpoints import Checkpoints
from trainwright.training.resident import Fold, Resident, fold_of, pad, resident

logger = logging.getLogger(__name__)


class PretrainingProgress(NamedTuple):
    """How far a pretraining has come, after each of its epochs."""

    part: str
    """What is trained, such as `rbm1`."""
    epoch: int
    """Epochs done."""
    epochs: int
    """Epochs in all."""
    reconstruction_error: float
    """The squared error summed over units, mean over the epoch's examples."""
    free_energy_gap: float
    """By how many nats validation examples fit worse than training ones."""


Watch = Callable[[PretrainingProgress], None]


def pretrain(
    training: Training, checkpoints: Checkpoints | None = None, watch: Watch | None = None
) -> tuple[Pretrained, ...]:
    """What the pretrainings of a training leave, one after the other; nothing if its recipe has none.

    With `checkpoints`, those that are kept are not done again, and one that was interrupted resumes where it
    was. `watch` is called after each epoch. Raises what the strategy has to say against the network, and
    `DataError` for inputs outside [0, 1].

    >>> from trainwright import Recipe, strategies
    >>> from trainwright.data import load
    >>> recipe = Recipe(strategies=strategies.read("activation('sigmoid'), rbm(epochs=2)"))
    >>> (rbm,) = pretrain(Training(recipe, load("digits"), 0))
    >>> list(rbm.arrays), list(rbm.history)
    (['rbm1/bias0', 'rbm1/bias1', 'rbm1/weights1'], ['step', 'reconstruction_error', 'free_energy_gap'])
    """
    done: list[Pretrained] = []
    planned = pretrainings(training)
    for number, pretraining in enumerate(planned, start=1):
        so_far = [earlier.to_json() for earlier in planned[:number]]
        name = pretraining_digest(so_far, training.data.fingerprint, training.seed)
        make = partial(_train, pretraining, name, arrays_of(done), training, checkpoints, watch)
        done.append(checkpoints.pretrained(name, make) if checkpoints else make())
    return tuple(done)


def _train(
    pretraining: Pretraining,
    name: str,
    arrays: Arrays,
    training: Training,
    checkpoints: Checkpoints | None,
    watch: Watch | None,
) -> Pretrained:
    """The loop: train an epoch, record, checkpoint. `name` is that of the checkpoint and of the result."""
    data, seed, purpose = training.data, training.seed, f"pretraining {pretraining.part}"
    examples = data.splits.examples
    batch = min(pretraining.batch_size, examples)
    interval = -(-examples // batch)
    numbers = jax.tree.map(np.float32, pretraining)
    key = keys.fold(keys.step_key(seed), "pretraining", pretraining.part)
    fixed = resident(data), fold_of(data), _watched(data, seed)
    state = pretraining.begin(arrays, keys.generator(seed, purpose))
    history: dict[str, list[float]] = {"step": [], "reconstruction_error": [], "free_energy_gap": []}
    seconds, timed = 0.0, 0
    if checkpoints and (stored := checkpoints.read(name)):
        state = _restored(stored[0], state)
        history, seconds, timed = stored[1]["history"], stored[1]["seconds"], stored[1]["timed"]
    for epoch in range(len(history["step"]), pretraining.epochs):
        start, traces = time.perf_counter(), step.traces
        rows = order(seed, purpose, data.splits.train, batch, epoch * interval, interval)
        state, error, gap = _train_epoch(numbers, state, key, jnp.int32(epoch), rows, *fixed)
        for column, value in zip(history, ((epoch + 1) * interval, error, gap), strict=True):
            history[column].append(float(value))
        if step.traces == traces:  # compiling is not training
            seconds, timed = seconds + time.perf_counter() - start, timed + 1
        if watch:
            watch(
                PretrainingProgress(pretraining.part, epoch + 1, pretraining.epochs, float(error), float(gap))
            )
        if checkpoints and checkpoints.due():
            leaves = {str(number): to_host(leaf) for number, leaf in enumerate(jax.tree.leaves(state))}
            checkpoints.write(name, leaves, {"history": history, "seconds": seconds, "timed": timed})
    logger.debug("%s: free energy gap %.3g", purpose, history["free_energy_gap"][-1])
    return Pretrained(
        digest=name,
        part=pretraining.part,
        steps=pretraining.epochs * interval,
        seconds=seconds / max(timed, 1) * pretraining.epochs,
        environment=environment(),
        history={column: np.asarray(values) for column, values in history.items()},
        arrays={name: np.asarray(array) for name, array in sorted(pretraining.result(state).items())},
    )


def divergence(histories: Mapping[str, Mapping[str, ArrayLike]]) -> str | None:
    """What to say where a pretraining's numbers are no longer finite; `histories` are those of `Pretrained`,
    by part.

    >>> print(divergence({"rbm1": {"step": [9, 18], "reconstruction_error": [4.5, float("nan")]}}))
    rbm1's pretraining diverged in epoch 2: its error is not finite; give its strategy a smaller learning rate
    """
    for part, history in histories.items():
        finite = np.isfinite([np.asarray(column, float) for column in history.values()]).all(axis=0)
        if not finite.all():
            return (
                f"{part}'s pretraining diverged in epoch {finite.argmin() + 1}: its error is not finite;"
                " give its strategy a smaller learning rate"
            )
    return None


def epoch_seconds(training: Training, steps: int) -> list[tuple[Pretraining, float]]:
    """What an epoch of each of a training's pretrainings takes, from the time of so many steps.

    The steps are those of a middle epoch, for contrastive divergence may make more sweeps as it goes on.
    """
    run = jax.jit(_steps)
    data, seed = training.data, training.seed
    arrays: dict[str, NDArray[Any]] = {}
    measured = []
    for pretraining in pretrainings(training):
        batch = min(pretraining.batch_size, data.splits.examples)
        rows = order(seed, "cost", data.splits.train, batch, 0, steps)
        numbers = jax.tree.map(np.float32, pretraining)
        state = pretraining.begin(arrays, keys.generator(seed, "cost"))
        arrays |= {name: np.asarray(array) for name, array in pretraining.result(state).items()}
        fixed = keys.step_key(seed), jnp.int32(pretraining.epochs // 2), rows, resident(data), fold_of(data)
        for _ in range(2):
            start = time.perf_counter()
            jax.block_until_ready(run(numbers, state, *fixed))  # type: ignore[no-untyped-call]
            seconds = time.perf_counter() - start  # of the second time, when it is compiled
        measured.append((pretraining, seconds / steps * -(-data.splits.examples // batch)))
    return measured


@partial(jax.jit, donate_argnums=1)
def _train_epoch(
    pretraining: Pretraining,
    state: Any,
    key: jax.Array,
    epoch: jax.Array,
    order: jax.Array,
    data: Resident,
    fold: Fold,
    watched: NDArray[np.int32],
) -> tuple[Any, jax.Array, jax.Array]:
    """Make the steps whose batches `order` (steps, batch) lists: the new state, the mean reconstruction
    error, and the gap in free energy between the `watched` examples (2, examples)."""
    step.count_trace()
    state, errors = _steps(pretraining, state, key, epoch, order, data, fold)
    train, validation = (_inputs(data, fold, rows) for rows in jnp.asarray(watched))
    return state, errors.mean(), pretraining.gap(state, train, validation)


def _steps(
    pretraining: Pretraining,
    state: Any,
    key: jax.Array,
    epoch: jax.Array,
    order: jax.Array,
    data: Resident,
    fold: Fold,
) -> tuple[Any, jax.Array]:
    """The state after the steps whose batches `order` lists, and each one's reconstruction error."""

    def make_step(carry: tuple[Any, jax.Array], rows: jax.Array) -> tuple[tuple[Any, jax.Array], jax.Array]:
        state, number = carry
        step_key = jax.random.fold_in(key, number)
        state, error = pretraining.step(state, _inputs(data, fold, rows), step_key, number, epoch)
        return (state, number + 1), error

    (state, _), errors = jax.lax.scan(make_step, (state, epoch * len(order)), order)
    return state, errors


def _inputs(data: Resident, fold: Fold, rows: jax.Array) -> jax.Array:
    return step.gather(data, fold, rows).reshape(len(rows), -1)


def _watched(data: Dataset, seed: int) -> NDArray[np.int32]:
    """Training examples and as many validation examples, (2, examples), drawn at random: 1,000 at most, the
    same number in all folds."""
    count = min(EXAMPLES, max(data.splits.room, len(data.splits.validation)))
    rng = keys.generator(seed, "pretraining", "watched")
    parts = (rng.permutation(rows) for rows in (data.splits.train, data.splits.validation))
    return np.stack([pad(rows, count)[:count] for rows in parts])


def _restored(arrays: dict[str, NDArray[Any]], fresh: Any) -> Any:
    leaves, structure = jax.tree.flatten(fresh)
    stored = [to_device(arrays[str(number)], leaf) for number, leaf in enumerate(leaves)]
    return jax.tree.unflatten(structure, stored)

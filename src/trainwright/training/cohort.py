"""Cohort: networks of one structure that train side by side in one program.

The program has a leading axis of slots over states, numbers and folds; larger networks train in a cohort of
one, without that axis. A slot whose training has ended takes up the next one that waits. A run's last bits
depend on the program, hence on the cohort's width; so the width is a function of the network alone. They
don't depend on the company, nor on how many slots are empty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from numpy.typing import NDArray

from trainwright.base.errors import SettingError
from trainwright.chain import extension_of
from trainwright.recipe import Recipe
from trainwright.runs.run import Pretrained
from trainwright.strategy import users
from trainwright.task import Scores, task_of
from trainwright.training.batches import order
from trainwright.training.building import Training, build, named_arrays, program_facts, to_device, to_host
from trainwright.training.progress import Progress, keeps_best
from trainwright.training.resident import Fold, fold_of, pad
from trainwright.training.source import source_of
from trainwright.training.step import Program, State

POPULATION_BATCHES = 100  # at most so many batches for the pass with fixed weights before an evaluation


class Cohort:
    """Slots of one program: their states on the device, their progress on the host."""

    def __init__(self, first: Training, width: int | None = None):
        graphdef, state = build(first)
        facts = program_facts(first, graphdef, state)
        self.width = width or facts.width
        task = first.recipe.network.task(task_of(first.data))
        self.program = Program(graphdef, task, self.width > 1, facts.chunk)
        self.structure: Any = jax.tree.structure(first.recipe)
        self.inputs = first.data.inputs
        self.source = source_of(first.data)
        self.running: list[Progress] = []
        self.state = self._fill(state)
        self.kept = self._fill(state) if keeps_best(first.recipe) else None
        self.recipe = self._fill(numbers(first.recipe))
        self.extension = extension_of(nnx.merge(graphdef, state.params, state.rest))
        self.fold = self._fill(self._fold(first, state))
        self.no_population = jnp.zeros((self.width, 0, 0) if self.program.cohort else (0, 0), jnp.int32)

    @property
    def free(self) -> list[int]:
        """The slots that hold no training."""
        return sorted(set(range(self.width)) - {progress.slot for progress in self.running})

    def place(self, training: Training, pretrained: Sequence[Pretrained] = ()) -> Progress:
        """Put a training into a free slot, at its start, with the weights that pretrainings left.

        Raises `SettingError` for a training that does not share the others' program or data.
        """
        graphdef, state = build(training, pretrained)
        same = graphdef == self.program.graphdef and jax.tree.structure(training.recipe) == self.structure
        if not same or training.data.inputs is not self.inputs:
            raise SettingError(
                f"{training.recipe} does not have the same structure and data as the others of its cohort: "
                "train it apart"
            )
        progress = Progress(training, self.free[0], tuple(pretrained))
        progress.weights = lambda: named_arrays(self.state_of(progress))
        self.running.append(progress)
        self.put(progress, state)
        self.recipe = self._set(self.recipe, numbers(training.recipe), progress.slot)
        self.fold = self._set(self.fold, self._fold(training, state), progress.slot)
        if self.kept is not None:
            self.kept = self._set(self.kept, state, progress.slot)
        return progress

    def remove(self, progress: Progress) -> None:
        """Free a training's slot."""
        self.running.remove(progress)
        progress.weights = dict  # a progress that someone keeps should not keep the cohort's arrays

    def train_interval(self) -> jax.Array:
        """Make every slot's steps up to the next evaluation; the mean training losses (slots,), not yet
        waited for: the evaluation is on its way to the device before they are there."""
        order = self._batches("order", lambda progress: (progress.step, progress.interval))
        self.state, losses = self.source.train_interval(
            self.program, self.recipe, self.state, order, self.fold
        )
        return losses

    def evaluate(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Every slot's validation loss and error, each (slots,)."""
        self.state, scores = self.source.evaluate(
            self.program, self.recipe, self.state, self._population(), self.fold
        )
        loss, error = (by_slot(part) for part in scores)
        return loss, error

    def keep(self, improved: Sequence[Progress]) -> None:
        """Keep the weights that these trainings have now, in place of those kept before."""
        if improved and self.kept is not None:
            mask = np.zeros(self.width, bool)
            mask[[progress.slot for progress in improved]] = True
            self.kept = _choose(self.program.cohort, mask, self.state, self.kept)

    def put(self, progress: Progress, state: State) -> None:
        """Let a training go on from this state."""
        self.state = self._set(self.state, state, progress.slot)

    def state_of(self, progress: Progress) -> State:
        """A training's state as it is now."""
        state: State = self._get(self.state, progress.slot)
        return state

    def kept_of(self, progress: Progress) -> State:
        """The state whose weights were kept; the last one where no strategy keeps any."""
        state: State = self._get(self.state if self.kept is None else self.kept, progress.slot)
        return state

    def predict(self, progress: Progress, state: State, *rows: NDArray[np.int64]) -> list[NDArray[Any]]:
        """One training's predictions (rows, outputs) for each of some sets of examples."""
        data = progress.training.data
        padded = [pad(part, data.splits.room) for part in rows]
        predicted = self.source.predictions(
            self.program._replace(cohort=False),
            numbers(progress.training.recipe),
            state,
            self._get(self.fold, progress.slot),
            jnp.asarray(np.concatenate(padded)),
        )
        ends = np.cumsum([len(part) for part in padded])[:-1]
        parts = np.split(np.asarray(predicted), ends)
        return [part[: len(examples)] for part, examples in zip(parts, rows, strict=True)]

    def score(self, progress: Progress, state: State, rows: NDArray[np.int64]) -> Scores:
        """One training's scores on these examples, against the targets as the network is to predict them."""
        [predicted] = self.predict(progress, state, rows)
        targets = progress.training.data.standardized_targets(rows)
        return self.program.task.score(
            jnp.asarray(predicted), jnp.asarray(targets), jnp.ones(len(rows), jnp.float32)
        )

    def arrays(self, progress: Progress) -> dict[str, NDArray[Any]]:
        """What a checkpoint of a training keeps, by name."""
        states = {"state": self.state_of(progress)} | (
            {} if self.kept is None else {"kept": self.kept_of(progress)}
        )
        return {
            f"{name}/{number}": to_host(leaf)
            for name, state in states.items()
            for number, leaf in enumerate(jax.tree.leaves(without_key(state)))
        }

    def resume(self, progress: Progress, arrays: dict[str, NDArray[Any]]) -> None:
        """Let a training go on from what `arrays` gave."""
        fresh = self.state_of(progress)
        self.put(progress, _restored(arrays, "state", fresh))
        if self.kept is not None:
            self.kept = self._set(self.kept, _restored(arrays, "kept", fresh), progress.slot)

    def _fold(self, training: Training, state: State) -> Fold:
        """A training's fold, with what its network adds to the inputs."""
        fold = fold_of(training.data)
        if self.extension is None:
            return fold
        return fold._replace(added=self.source.added(self.program, state, fold))

    def _population(self) -> jax.Array:
        """One pass over each slot's examples, in 100 batches at most; none where no strategy asks for it."""
        strategies = self.running[0].training.recipe.strategies
        needed = any(s.needs_population_pass() for s in users(strategies, "needs_population_pass"))
        if not needed or not users(strategies, "reset_statistics"):
            return self.no_population

        def span(progress: Progress) -> tuple[int, int]:
            one_pass = -(-progress.training.data.splits.examples // progress.batch)
            return 0, min(one_pass, POPULATION_BATCHES)

        return self._batches("population", span)

    def _batches(self, purpose: str, span: Callable[[Progress], tuple[int, int]]) -> jax.Array:
        """The slots' batches for a span of steps; an empty slot repeats a busy one's, to no effect."""
        by_slot = {p.slot: order(p.training.seed, purpose, p.rows, p.batch, *span(p)) for p in self.running}
        filler = next(iter(by_slot.values()))
        batches = np.stack([by_slot.get(slot, filler) for slot in range(self.width)])
        return jnp.asarray(batches if self.program.cohort else batches[0])

    def _fill(self, tree: Any) -> Any:
        if not self.program.cohort:
            return jax.tree.map(jnp.copy, tree)
        return jax.tree.map(lambda leaf: jnp.stack([jnp.asarray(leaf)] * self.width), tree)

    def _set(self, stacked: Any, tree: Any, slot: int) -> Any:
        return _set(stacked, tree, slot, self.program.cohort)

    def _get(self, stacked: Any, slot: int) -> Any:
        return _get(stacked, slot, self.program.cohort)


def by_slot(values: jax.Array) -> NDArray[np.float64]:
    """A number of each slot, (slots,), on the host."""
    return np.atleast_1d(np.asarray(values, np.float64))


def numbers(recipe: Recipe) -> Recipe:
    """The recipe with its numbers as the compiled program takes them."""
    as_arrays: Recipe = jax.tree.map(np.float32, recipe)
    return as_arrays


def without_key(state: State) -> Any:
    """What a state holds besides the seed's key, which the seed gives."""
    return state[:-1]


def _restored(arrays: dict[str, NDArray[Any]], name: str, fresh: State) -> State:
    leaves, structure = jax.tree.flatten(without_key(fresh))
    stored = [to_device(arrays[f"{name}/{number}"], leaf) for number, leaf in enumerate(leaves)]
    return State(*(*jax.tree.unflatten(structure, stored), fresh.key))


@partial(jax.jit, static_argnums=3)
def _set(stacked: Any, tree: Any, slot: int, cohort: bool) -> Any:
    """A cohort's tree with one slot replaced; the new tree itself where there is but one slot."""
    return jax.tree.map(lambda all_, new: all_.at[slot].set(new), stacked, tree) if cohort else tree


@partial(jax.jit, static_argnums=2)
def _get(stacked: Any, slot: int, cohort: bool) -> Any:
    """One slot of a cohort's tree; the tree itself where there is but one slot."""
    return jax.tree.map(lambda leaf: leaf[slot], stacked) if cohort else stacked


@partial(jax.jit, static_argnums=0)
def _choose(cohort: bool, mask: jax.Array, new: Any, old: Any) -> Any:
    """The new state where the mask is true."""

    def pick(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.where(mask.reshape(-1, *[1] * (a.ndim - 1)) if cohort else mask[0], a, b)

    return jax.tree.map(pick, new, old)

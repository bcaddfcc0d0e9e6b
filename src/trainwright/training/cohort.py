"""Cohort: networks of one structure that train side by side in one program.

The program has a leading axis of slots over states and numbers; larger networks train in a cohort of one,
without that axis. A slot whose training has ended takes up the next one that waits. A run's numbers depend on
the program, hence on the cohort's width; so the width is a function of the network alone. They don't depend
on the company.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import jax
import jax.numpy as jnp
import numpy as np
from numpy.typing import NDArray

from trainwright.base.environment import environment
from trainwright.base.errors import SettingError
from trainwright.data.dataset import Dataset
from trainwright.data.facts import facts
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.strategies.early_stopping import EarlyStopping
from trainwright.training import step
from trainwright.training.progress import Slot, Training, all_rows, build, count, order, stops_early
from trainwright.training.step import Program, State

SETTLING_BATCHES = 100  # at most so many batches for the pass with fixed weights before an evaluation


class Checkpoints(Protocol):
    """Where trainings under way are kept."""

    def read(self, training: Training) -> tuple[dict[str, NDArray[Any]], dict[str, Any]] | None:
        """The arrays and notes written last for this training, if any."""

    def write(self, training: Training, arrays: dict[str, NDArray[Any]], notes: dict[str, Any]) -> None:
        """Keep arrays and notes in place of the last ones."""

    def due(self) -> bool:
        """Whether it is time to write."""


def cohort_width(parameters: int) -> int:
    """How many networks of this size train fastest side by side on one CPU core; see `benchmarks/`.

    Small networks share the cost of each operation's start; larger ones only compete for the cache. Wider
    cohorts gain little more, and lose it to slots that wait for the last to end.
    """
    return 16 if parameters <= 30_000 else 4 if parameters <= 150_000 else 1


class Resident(NamedTuple):
    """A data set's arrays on the device."""

    inputs: jax.Array
    targets: jax.Array
    validation: tuple[jax.Array, jax.Array]
    held_out: jax.Array
    """The inputs of the validation split and of the test split, one after the other."""


def resident(data: Dataset) -> Resident:
    """The arrays on the device, put there once for as long as the data set lives.

    A worker's next cohort finds them there, and steps are faster on memory that is not new.
    """
    if data not in _RESIDENT:
        rows = data.splits.validation
        _RESIDENT[data] = Resident(
            jnp.asarray(data.inputs),
            jnp.asarray(data.targets),
            (jnp.asarray(data.inputs[rows]), jnp.asarray(data.targets[rows])),
            jnp.asarray(data.inputs[np.concatenate([rows, data.splits.test])]),
        )
    return _RESIDENT[data]


_RESIDENT: WeakKeyDictionary[Dataset, Resident] = WeakKeyDictionary()


class Cohort:
    """Slots of one program: their states on the device, their notes on the host."""

    def __init__(self, first: Training, width: int | None, checkpoints: Checkpoints | None):
        data = first.data
        self.checkpoints = checkpoints
        self.graphdef, state = build(first)
        self.width = width or cohort_width(count(state.params))
        self.program = Program(self.graphdef, data.task, data.outputs, cohort=self.width > 1)
        self.structure: Any = jax.tree.structure(first.recipe)
        self.data = data
        self.about = {"data": facts(data), "environment": environment()}  # the same for every run
        self.inputs, self.targets, self.validation, self.held_out = resident(data)
        self.slots: list[Slot] = []
        self.state = self._fill(state)
        self.best = self._fill(state) if stops_early(first.recipe) else None
        self.recipe = self._fill(_numbers(first.recipe))

    @property
    def free(self) -> list[int]:
        """The numbers of the slots that hold no training."""
        return sorted(set(range(self.width)) - {slot.number for slot in self.slots})

    def place(self, training: Training) -> None:
        """Put a training into a free slot: from its start, or from where its checkpoint left it."""
        graphdef, state = build(training)
        if graphdef != self.graphdef or jax.tree.structure(training.recipe) != self.structure:
            raise SettingError(f"{training.recipe} has not the structure of the others in its cohort")
        slot = Slot(training, self.free[0])
        best = state
        if self.checkpoints and (kept := self.checkpoints.read(training)):
            arrays, notes = kept
            state, best = (_restored(arrays, name, state) for name in ("state", "best"))
            vars(slot).update(notes)
            if slot.retrain != "no":
                slot.rows = all_rows(training.data)
        slot.weights = lambda: named_arrays(_get(self.state, slot.number, self.program.cohort))
        self.slots.append(slot)
        self._put(slot, state)
        self.recipe = _set(self.recipe, _numbers(training.recipe), slot.number, self.program.cohort)
        if self.best is not None:
            self.best = _set(self.best, best, slot.number, self.program.cohort)

    def advance(self) -> list[Slot]:
        """One stretch and one evaluation of every slot; the slots, with their notes brought up to date."""
        start, traced = time.perf_counter(), step.traces
        orders = self._orders("order", lambda slot: (slot.step, slot.interval))
        settling = self._orders("settle", lambda slot: (0, min(slot.interval, SETTLING_BATCHES)))
        data = self.inputs, self.targets
        self.state, train_loss = step.stretch(self.program, self.recipe, self.state, orders, *data)
        self.state, scores = step.evaluate(
            self.program, self.recipe, self.state, settling, self.inputs, self.validation
        )
        results = [np.atleast_1d(np.asarray(one, np.float64)) for one in (train_loss, *scores)]
        seconds = (time.perf_counter() - start) / self.width  # an empty slot computes too
        for slot in self.slots:
            slot.record(*(float(column[slot.number]) for column in results))
            if step.traces == traced:  # compiling is not training
                slot.seconds += seconds
                slot.timed += slot.interval
        self._keep_best([slot for slot in self.slots if slot.keeps_best])
        self._retrain([slot for slot in self.slots if slot.ended and not slot.diverged])
        if self.checkpoints and self.checkpoints.due():
            self._write_checkpoints(self.checkpoints)
        return list(self.slots)

    def take(self, slot: Slot) -> Run:
        """Free a slot and hand over what its training left behind."""
        last = _get(self.state, slot.number, self.program.cohort)
        best = last if self.best is None else _get(self.best, slot.number, self.program.cohort)
        state = best if slot.retrain == "no" else last
        self.slots.remove(slot)
        slot.weights = dict  # a slot that someone keeps should not keep the cohort's arrays
        recipe, data = slot.training.recipe, slot.training.data
        validation, test = self._predictions(recipe, state)
        if slot.retrain != "no":  # retrained weights have seen the validation split: there, theta* speaks
            validation, _ = self._predictions(recipe, best)
        return Run(
            recipe=recipe.to_json(),
            seed=slot.training.seed,
            status="diverged" if slot.diverged else "finished",
            steps=slot.total,
            best_step=slot.best_step,
            parameters=count(state.params),
            seconds=slot.seconds / max(slot.timed, 1) * slot.total,
            memory_bytes=_bytes(state) * (2 if self.best is not None else 1),
            history={
                name: np.asarray(column) * (data.deviation if name == "validation_error" else 1)
                for name, column in slot.history.items()
            },
            predictions={
                "validation": validation,
                "validation_targets": data.labels(data.splits.validation),
                "test": test,
                "test_targets": data.labels(data.splits.test),
            },
            weights=named_arrays(state),
            **self.about,
        )

    def _predictions(self, recipe: Recipe, state: State) -> list[NDArray[Any]]:
        """One training's predictions on the validation and on the test split."""
        one = self.program._replace(cohort=False)
        predicted = np.asarray(step.predictions(one, _numbers(recipe), state, self.held_out))
        return np.split(self.data.decode(predicted), [len(self.data.splits.validation)])

    def _keep_best(self, improved: list[Slot]) -> None:
        if improved and self.best is not None:
            mask = np.zeros(self.width, bool)
            mask[[slot.number for slot in improved]] = True
            self.best = _choose(self.program.cohort, mask, self.state, self.best)

    def _retrain(self, ended: list[Slot]) -> None:
        """Algorithms 7.2 and 7.3: go on with all data, where the recipe says so."""
        for slot in ended:
            stopping = [s for s in slot.training.recipe.strategies if isinstance(s, EarlyStopping)]
            if not stopping or stopping[0].retrain == "no" or slot.retrain != "no" or not slot.best_step:
                continue
            if stopping[0].retrain == "onward" and slot.best_step >= slot.length:
                continue  # the recipe's length is reached: there is no step left to go on with
            slot.retrain, slot.ended, slot.rows = stopping[0].retrain, False, all_rows(slot.training.data)
            if slot.retrain == "anew":
                slot.step, slot.length = 0, slot.best_step
                self._put(slot, build(slot.training)[1])
            else:
                slot.step = slot.best_step
                state = _get(self.best, slot.number, self.program.cohort)
                slot.target_loss = self._training_loss(slot.training, state)
                self._put(slot, state)

    def _training_loss(self, training: Training, state: State) -> float:
        one, rows = self.program._replace(cohort=False), training.data.splits.train
        predicted = step.predictions(one, _numbers(training.recipe), state, self.inputs[rows])
        return float(step.score(one, predicted, self.targets[rows]).loss)

    def _orders(self, purpose: str, span: Callable[[Slot], tuple[int, int]]) -> jax.Array:
        """The slots' batches for a stretch; an empty slot repeats a busy one's, to no effect."""
        by_number = {s.number: order(s.training.seed, purpose, s.rows, s.batch, *span(s)) for s in self.slots}
        some = next(iter(by_number.values()))
        orders = np.stack([by_number.get(number, some) for number in range(self.width)])
        return jnp.asarray(orders if self.program.cohort else orders[0])

    def _write_checkpoints(self, checkpoints: Checkpoints) -> None:
        for slot in self.slots:
            if slot.ended:
                continue
            arrays: dict[str, NDArray[Any]] = {}
            for name, states in (("state", self.state), ("best", self.best)):
                if states is not None:
                    leaves = jax.tree.leaves(_arrays_of(_get(states, slot.number, self.program.cohort)))
                    arrays |= {f"{name}/{number}": np.asarray(leaf) for number, leaf in enumerate(leaves)}
            checkpoints.write(slot.training, arrays, slot.notes)

    def _put(self, slot: Slot, state: State) -> None:
        self.state = _set(self.state, state, slot.number, self.program.cohort)

    def _fill(self, one: Any) -> Any:
        if not self.program.cohort:
            return jax.tree.map(jnp.copy, one)
        return jax.tree.map(lambda leaf: jnp.stack([leaf] * self.width), one)


def named_arrays(state: State) -> dict[str, NDArray[Any]]:
    """Weights and statistics by their path in the network."""
    leaves = jax.tree_util.tree_leaves_with_path((state.params, state.rest))
    return {
        jax.tree_util.keystr(path[1:], simple=True, separator="/"): np.asarray(leaf) for path, leaf in leaves
    }


def _numbers(recipe: Recipe) -> Recipe:
    numbers: Recipe = jax.tree.map(np.float32, recipe)
    return numbers


def _arrays_of(state: State) -> Any:
    return state[:-1]  # all but the key, which the seed gives


def _restored(arrays: dict[str, NDArray[Any]], name: str, fresh: State) -> State:
    leaves, structure = jax.tree.flatten(_arrays_of(fresh))
    if f"{name}/0" not in arrays:
        return fresh
    stored = [jnp.asarray(arrays[f"{name}/{number}"]) for number in range(len(leaves))]
    return State(*(*jax.tree.unflatten(structure, stored), fresh.key))


def _bytes(tree: Any) -> int:
    return sum(leaf.nbytes for leaf in jax.tree.leaves(_arrays_of(tree)))


@partial(jax.jit, static_argnums=3)
def _set(stacked: Any, one: Any, number: int, cohort: bool) -> Any:
    """A cohort's tree with one slot replaced; the tree itself when there is but one slot."""
    return jax.tree.map(lambda all_, new: all_.at[number].set(new), stacked, one) if cohort else one


@partial(jax.jit, static_argnums=2)
def _get(stacked: Any, number: int, cohort: bool) -> Any:
    """One slot of a cohort's tree; the tree itself when there is but one slot."""
    return jax.tree.map(lambda leaf: leaf[number], stacked) if cohort else stacked


@partial(jax.jit, static_argnums=0)
def _choose(cohort: bool, mask: jax.Array, new: Any, old: Any) -> Any:
    """The new state where the mask is true."""

    def pick(a: jax.Array, b: jax.Array) -> jax.Array:
        return jnp.where(mask.reshape(-1, *[1] * (a.ndim - 1)) if cohort else mask[0], a, b)

    return jax.tree.map(pick, new, old)

"""The checks that every strategy must pass, for strategies of this package and for yours.

`check_strategy(Shrink)` runs them all and raises an `AssertionError` that names what is wrong. With pytest,
`CHECKS` makes each check a test of its own:

    import pytest
    from trainwright.testing import CHECKS

    @pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
    def test_shrink(check):
        check(Shrink)

The checks train small networks on sixty handwritten digits with the strategy's `example` settings, so these
must be settings under which it visibly acts there.
"""

from __future__ import annotations

import dataclasses
import itertools
import json
from collections.abc import Callable, Sequence
from functools import cache, partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from trainwright import strategies
from trainwright.base.config import allowed, settings
from trainwright.base.errors import SettingError
from trainwright.base.limits import bad_values
from trainwright.data import Dataset, load
from trainwright.network import DECIDED_ONCE
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.strategy import Strategy, uses
from trainwright.task import task_of
from trainwright.training import step
from trainwright.training.building import Training, build, named_arrays
from trainwright.training.fit import fit_all
from trainwright.training.predict import CHUNK
from trainwright.training.step import Program

VISIBLE = 1e-3  # relative change of the predictions; rounding makes about a millionth
TOGETHER = 12  # strategies in a step whose numbers are checked
COMPILED_FAST = {"xla_backend_optimization_level": 0, "xla_llvm_disable_expensive_passes": True}
LONG: dict[str, Any] = {"learning_rate": 0.3, "steps": 80, "evaluate_every": 4}
"""Long enough to learn the digits, and for the validation loss to rise now and then."""


def check_strategy(cls: type[Strategy]) -> None:
    """Run every check on a strategy's class; raises `AssertionError` at the first that fails.

    >>> from trainwright.strategies import Momentum
    >>> check_strategy(Momentum)
    """
    for check in CHECKS:
        check(cls)


# The value.


def check_is_frozen(cls: type[Strategy]) -> None:
    """Its settings cannot be changed after it is made."""
    strategy = cls(**cls.example)
    for name in settings(cls):
        try:
            setattr(strategy, name, getattr(strategy, name))
        except dataclasses.FrozenInstanceError:
            continue
        raise AssertionError(f"{cls.name}: {name} can be changed; make the class with @config")


def check_repr_makes_it_again(cls: type[Strategy]) -> None:
    """`eval(repr(strategy))` is an equal strategy."""
    for strategy in _values(cls):
        assert eval(repr(strategy), {cls.__name__: cls}) == strategy, f"{strategy!r} does not make it again"


def check_json_makes_it_again(cls: type[Strategy]) -> None:
    """Stored as JSON and read back it is equal: this is how a run keeps its recipe."""
    for strategy in _values(cls):
        stored = json.loads(json.dumps(strategy.to_json()))
        assert stored["name"] == cls.name
        assert cls.from_json(stored) == strategy, f"{cls.name}: {stored} reads back as something else"


def check_documents_its_settings(cls: type[Strategy]) -> None:
    """The class has a docstring, and so has each setting; the catalogue and `--help` show them."""
    assert cls.__doc__, f"{cls.__name__} needs a docstring: what one does with it"
    for name, info in settings(cls).items():
        assert info.description, f"{cls.__name__}.{name} needs a docstring below it: its unit and meaning"


def check_refuses_bad_settings(cls: type[Strategy]) -> None:
    """A setting of the wrong kind or out of range raises `SettingError` with field, value and remedy."""
    for place, (field, info) in enumerate(settings(cls).items()):
        for bad in bad_values(info):
            wanted = f"{cls.name}: {field} = {bad!r} is not allowed: give {allowed(info)}"
            said = [_refusal(cls, **cls.example | {field: bad})]
            if place == 0 and not cls.example.keys() - {field}:
                said.append(_refusal(cls, bad))
            for message in said:
                assert message == wanted, f"{cls.name}({field}={bad!r}): {message}; expected: {wanted}"
    message = _refusal(cls, **cls.example, nonsense=1)
    assert "there is no setting 'nonsense'" in message, f"{cls.name}(nonsense=1): {message}"


# The training.


def check_acts(cls: type[Strategy]) -> None:
    """With its example settings it changes a training visibly, in length or predictions; not its split."""
    plain, run = _plain(cls.companions), _trained(cls)  # type: ignore[arg-type]
    for rows in ("validation_rows", "test_rows"):
        np.testing.assert_array_equal(plain.predictions[rows], run.predictions[rows], cls.name)
    assert run.status == "finished", f"{cls.example!r}: the training {run.status}"
    if run.steps != plain.steps:
        return
    before, after = (trained.predictions["validation"] for trained in (plain, run))
    change = float(np.linalg.norm(after - before) / np.linalg.norm(before))
    assert change >= VISIBLE, f"{cls.name} with {cls.example!r} changes predictions by only {change:.2%}"


def check_leaves_first_weights_alone(cls: type[Strategy]) -> None:
    """At the same seed a network starts from the same weights with and without it, unless it sets them."""
    strategy = cls(**cls.example)
    if uses(strategy, "initial_kernel") or uses(strategy, "initial_bias"):
        return
    without, with_it = (
        named_arrays(build(Training(_recipe(*strategies.read(cls.companions), *chosen), _data(), 5))[1])
        for chosen in ((), (strategy,))
    )
    for name, weights in without.items():
        same = name not in with_it or np.array_equal(weights, with_it[name])
        assert same, f"{cls.name} changes the first weights {name}"


def check_shares_its_program(cls: type[Strategy]) -> None:
    """Other numbers and seeds need no other program, and a run does not depend on what trains beside it."""
    first = _side_by_side(*_pair(cls, 0.9, 1))[0]  # now: JAX may have dropped a program of long ago
    traces = step.traces
    _, again = _side_by_side(*reversed(_pair(cls, 0.8, 2)))
    assert step.traces == traces, f"{cls.name} is compiled anew when only its numbers change"
    for kept in ("history", "predictions", "weights"):
        one, other = getattr(first, kept), getattr(again, kept)
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], f"{kept} {key} depends on the company")


def check_combines_with_every_strategy(cls: type[Strategy]) -> None:
    """It makes a step with any other strategy of the package, and a step with a dozen gives finite weights.

    Compiling takes most of the time, so numbers are computed for a dozen at once. What is not finite nearly
    always stays so; a third strategy that clips an infinity would hide it.
    """
    others = [strategies.find(name) for name in strategies.names() if name != cls.name]
    for other in others:
        check_makes_a_step_with(cls, other)
    for group in groups([(cls, other) for other in others]):
        check_takes_a_finite_step_with(*group)


def check_makes_a_step_with(cls: type[Strategy], other: type[Strategy]) -> None:
    """A step of a recipe with both can be traced; if both decide what only one can, the recipe is refused."""
    if _contradict(cls, other):
        refusal = _refusal(lambda: _first_step(cls, other))
        assert "keep one" in refusal, f"{cls.name} and {other.name} contradict: {refusal}"
        return
    make_step, arguments = _first_step(cls, other)
    make_step.trace(*arguments)


def check_takes_a_finite_step_with(cls: type[Strategy], *others: type[Strategy]) -> None:
    """The first step of a recipe that has them all, each with its example settings, gives finite weights."""
    names = " with ".join(strategy.name for strategy in (cls, *others))
    make_step, arguments = _first_step(cls, *others)
    state, loss = make_step.lower(*arguments).compile(COMPILED_FAST)(*arguments)
    assert jnp.isfinite(loss), f"{names}: the loss is {loss}"
    for name, array in named_arrays(state).items():
        assert np.isfinite(array).all(), f"{names}: {name} is not finite"


def groups(pairs: Sequence[tuple[type[Strategy], type[Strategy]]]) -> list[list[type[Strategy]]]:
    """Groups such that each pair is together in at least one, except pairs that contradict each other."""
    missing = [{one, other} for one, other in pairs if not _contradict(one, other)]
    known = list(dict.fromkeys(itertools.chain.from_iterable(pairs)))
    formed = []
    while missing:
        group = sorted(missing[0], key=known.index)
        while len(group) < TOGETHER:
            fitting = [c for c in known if c not in group and not any(_contradict(c, g) for g in group)]
            gains = [sum({c, g} in missing for g in group) for c in fitting]
            if not any(gains):
                break
            group.append(fitting[gains.index(max(gains))])
        missing = [pair for pair in missing if not pair <= set(group)]
        formed.append(group)
    return formed


CHECKS: tuple[Callable[[type[Strategy]], None], ...] = (
    check_is_frozen,
    check_repr_makes_it_again,
    check_json_makes_it_again,
    check_documents_its_settings,
    check_refuses_bad_settings,
    check_acts,
    check_leaves_first_weights_alone,
    check_shares_its_program,
    check_combines_with_every_strategy,
)
"""Every check of `check_strategy`, in the order in which it runs them."""


# What they are made of.


def _values(cls: type[Strategy]) -> list[Strategy]:
    """The strategy with its example settings and, where it has a default for each, with those."""
    required = any(info.is_required() for info in settings(cls).values())
    return [cls(**cls.example)] if required else [cls(**cls.example), cls()]


def _refusal(make: Callable[..., Any], *arguments: Any, **given: Any) -> str:
    """What is said against these settings."""
    try:
        make(*arguments, **given)
    except SettingError as error:
        return str(error)
    return "is accepted"


@cache
def _data() -> Dataset:
    """Sixty handwritten digits of 8×8 pixels: 36 train, 12 validate, 12 test."""
    from sklearn.datasets import load_digits

    images, classes = load_digits(return_X_y=True)
    return load((images[:60].reshape(60, 8, 8) / 16, classes[:60]))


def _recipe(*chosen: Strategy, **given: Any) -> Recipe:
    """A hidden layer of sixteen units, and six steps unless told otherwise."""
    return Recipe(Mlp((16,)), chosen, **{"batch_size": 12, "steps": 6, "learning_rate": 0.1, **given})


def _contradict(one: type[Strategy], other: type[Strategy]) -> bool:
    """Whether both decide what only one strategy of a recipe can."""
    return any(uses(one(**one.example), hook) and uses(other(**other.example), hook) for hook in DECIDED_ONCE)


def _first_step(*classes: type[Strategy]) -> tuple[Any, tuple[Any, ...]]:
    """The compiled function that makes the first step of a recipe with all of these, and its arguments."""
    data, recipe = _data(), _recipe()
    for cls in classes:
        recipe = recipe.adding(*strategies.read(cls.companions))
    recipe = recipe.adding(*(cls(**cls.example) for cls in classes))
    graphdef, state = build(Training(recipe, data, 0))
    program = Program(graphdef, task_of(data), cohort=False, chunk=CHUNK)
    x, y = jnp.asarray(data.inputs[:12]), program.task.encode(jnp.asarray(data.targets[:12]))
    return jax.jit(partial(step.step, program)), (jax.tree.map(jnp.float32, recipe), state, x, y)


@cache
def _plain(companions: str) -> Run:
    """The run with these strategies alone, in a cohort like that of `_trained`."""
    chosen = strategies.read(companions)
    return _side_by_side(*(Training(_recipe(*chosen, **LONG), _data(), seed) for seed in (0, 1)))[0]


@cache
def _trained(cls: type[Strategy]) -> Run:
    """The run with a strategy's example, beside one with other numbers and seed."""
    return _side_by_side(*_pair(cls, 0.9, 1))[0]


def _pair(cls: type[Strategy], factor: float, seed: int) -> tuple[Training, Training]:
    mine, companions = cls(**cls.example), strategies.read(cls.companions)
    one, other = (_recipe(*companions, strategy, **LONG) for strategy in (mine, _scaled(mine, factor)))
    return Training(one, _data(), 0), Training(other, _data(), seed)


def _scaled(strategy: Strategy, factor: float) -> Strategy:
    """The strategy with each of its numbers changed, and so its structure kept."""
    numbers = {field: getattr(strategy, field) for field in settings(type(strategy))}
    changed = {name: factor * number for name, number in numbers.items() if type(number) is float}
    return dataclasses.replace(strategy, **changed)  # type: ignore[type-var]


def _side_by_side(*trainings: Training) -> list[Run]:
    runs = dict(fit_all(trainings, width=2))
    return [runs[training] for training in trainings]

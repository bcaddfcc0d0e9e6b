"""The battery: what holds for every strategy. A new file in `strategies/` is tested by being there."""

from __future__ import annotations

import dataclasses
import itertools
import json
import math
import sys
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

import annotated_types
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from small import digits, example, recipe, table
from trainwright import strategies
from trainwright.base.config import allowed, settings
from trainwright.base.errors import SettingError
from trainwright.networks.mlp import Mlp
from trainwright.report import catalogue
from trainwright.runs.run import Run
from trainwright.strategies import (
    L1,
    L2,
    Activation,
    BatchNorm,
    Cost,
    Dropout,
    Initialization,
    LabelSmoothing,
    MaxNorm,
    Mirror,
    Noise,
    Shift,
)
from trainwright.strategy import NothingToActOn, Strategy, uses
from trainwright.task import task_of
from trainwright.training import step
from trainwright.training.building import Training, build, named_arrays
from trainwright.training.fit import fit, fit_all
from trainwright.training.predict import CHUNK
from trainwright.training.step import Program

DATA = digits()
NAMES = strategies.names()
HOT: dict[str, Any] = {"learning_rate": 1.0, "steps": 12, "evaluate_every": 3}  # validation gets worse, too
every = pytest.mark.parametrize("name", NAMES)


@pytest.fixture(autouse=True)
def _strict_promotion(request):
    """Our own code mixes no kinds of numbers; optax raises Adam's decays to a whole number of steps."""
    optax_mixes = "adam" in request.node.name or "all_together" in request.node.name
    with jax.numpy_dtype_promotion("standard" if optax_mixes else "strict"):
        yield


def scaled(strategy: Strategy, factor: float) -> Strategy:
    """The strategy with each of its numbers changed, and so its structure kept."""
    numbers = {f.name: getattr(strategy, f.name) for f in dataclasses.fields(strategy)}
    return dataclasses.replace(
        strategy, **{name: factor * number for name, number in numbers.items() if type(number) is float}
    )


@cache
def trained(name: str | None) -> Run:
    """The run with a strategy's example, or the plain one, beside a companion with other numbers and seed."""
    return _side_by_side(*_pair(name, 0.9, 1))[0]


def _pair(name: str | None, factor: float, seed: int) -> tuple[Training, Training]:
    mine, other = ((example(name),), (scaled(example(name), factor),)) if name else ((), ())
    return Training(recipe(*mine, **HOT), DATA, 0), Training(recipe(*other, **HOT), DATA, seed)


def _side_by_side(*trainings: Training) -> list[Run]:
    runs = dict(fit_all(trainings, width=2))
    return [runs[training] for training in trainings]


# The value.


@every
def test_it_is_frozen(name):
    strategy = example(name)
    field = dataclasses.fields(strategy)[0].name
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(strategy, field, getattr(strategy, field))


@every
def test_its_repr_makes_it_again(name):
    cls = strategies.find(name)
    for strategy in (cls(), example(name)):
        assert eval(repr(strategy), {cls.__name__: cls}) == strategy


@every
def test_its_json_makes_it_again(name):
    cls = strategies.find(name)
    for strategy in (cls(), example(name)):
        stored = json.loads(json.dumps(strategy.to_json()))
        assert stored["name"] == name
        assert cls.from_json(stored) == strategy


@every
def test_it_is_documented(name):
    cls = strategies.find(name)
    assert cls.name == name == cls.__module__.rpartition(".")[2]
    assert ">>> " in cls.__doc__, "the class's docstring needs an example that runs"
    assert "\n\nSource: " in sys.modules[cls.__module__].__doc__
    for setting in catalogue.card(name).settings:
        assert setting.description, f"{setting.name} needs a docstring with its unit and meaning"


@every
def test_bad_settings_are_refused_with_the_remedy(name):
    cls = strategies.find(name)
    for place, (field, info) in enumerate(settings(cls).items()):
        for bad in bad_values(info.annotation, info.metadata):
            assert_refused(lambda bad=bad, field=field: cls(**{field: bad}), name, field, bad, allowed(info))
            if place == 0:
                assert_refused(lambda bad=bad: cls(bad), name, field, bad, allowed(info))
    with pytest.raises(SettingError, match="there is no setting 'nonsense'; its settings are"):
        cls(nonsense=1)


def assert_refused(make: Any, name: str, field: str, bad: Any, remedy: str) -> None:
    with pytest.raises(SettingError) as raised:
        make()
    assert str(raised.value) == f"{name}: {field} = {bad!r} is not allowed: give {remedy}"


def bad_values(annotation: Any, limits: list[Any]) -> list[Any]:
    """Values that a field of this kind, within these limits, must not accept."""
    if get_origin(annotation) is Literal:
        return ["nonsense", 3]
    if get_origin(annotation) is Annotated:
        kind, info = get_args(annotation)
        return bad_values(kind, info.metadata)
    if get_args(annotation):
        return [bad for bad in bad_values(get_args(annotation)[0], limits) if bad is not None]
    bad: list[Any] = {
        float: ["much", math.nan, math.inf, None],
        int: ["many", 1.5, None],
        bool: ["perhaps", 2, None],
    }[annotation]
    if annotation is not float and annotation is not int:
        return bad
    for limit in limits:
        match limit:
            case annotated_types.Ge(ge=bound):
                bad.append(bound - 1)
            case annotated_types.Le(le=bound):
                bad.append(bound + 1)
            case annotated_types.Gt(gt=bound):
                bad.append(bound)
            case annotated_types.Lt(lt=bound):
                bad.append(bound)
    return bad


# The training.


@every
def test_it_acts(name):
    plain, run = trained(None), trained(name)
    assert run.status == "finished"
    assert run.steps != plain.steps or not np.array_equal(
        run.predictions["validation"], plain.predictions["validation"]
    ), f"{name} with its example settings leaves a training as it is"


@every
def test_it_leaves_the_first_weights_alone_unless_they_are_its_business(name):
    before, after = (build(Training(recipe(*chosen), DATA, 5))[1] for chosen in ((), (example(name),)))
    if not any(uses(example(name), hook) for hook in ("initial_kernel", "initial_bias")):
        for first, second in zip(affine(before), affine(after), strict=True):
            assert np.array_equal(first, second)


def affine(state: step.State) -> list[np.ndarray]:
    """The weights and biases of a network's affine maps, from the input on."""
    arrays = named_arrays(state).items()
    return [array for path, array in arrays if path.rpartition("/")[2] in ("kernel", "bias")]


@every
def test_its_numbers_are_data_and_its_company_does_not_matter(name):
    first = trained(name)
    traces = step.traces
    _, again = _side_by_side(*reversed(_pair(name, 0.8, 2)))
    assert step.traces == traces, f"{name} compiles anew when only its numbers change"
    assert first.steps == again.steps
    assert_same_numbers(first, again)


def assert_same_numbers(first: Run, second: Run) -> None:
    """The same bits: curves, predictions, weights."""
    for kept in ("history", "predictions", "weights"):
        one, other = getattr(first, kept), getattr(second, kept)
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], f"{kept} {key}")


@pytest.mark.parametrize(("name", "other"), list(itertools.combinations(NAMES, 2)))
def test_it_makes_a_finite_step_with_any_other(name, other):
    state = one_step(example(name), example(other))
    for array in named_arrays(state).values():
        assert np.isfinite(array).all()


def one_step(*chosen: Strategy) -> step.State:
    training = Training(recipe(*chosen), DATA, 0)
    graphdef, state = build(training)
    program = Program(graphdef, task_of(DATA), cohort=False, chunk=CHUNK)
    numbers = jax.tree.map(jnp.float32, training.recipe)
    x, y = jnp.asarray(DATA.inputs[:12]), program.task.encode(jnp.asarray(DATA.targets[:12]))
    state, loss = step.step(program, numbers, state, x, y)
    assert jnp.isfinite(loss)
    return state


def test_all_together_in_a_cohort_as_alone():
    chosen = [example(name) for name in NAMES]
    both = [Training(recipe(*chosen, learning_rate=1e-3), DATA, seed) for seed in (0, 1)]
    side_by_side, alone = _side_by_side(*both)[1], next(fit_all(both[1:], width=1))[1]
    assert alone.status == "finished"
    # Not the weights: a bias before a batch norm has rounding errors for a gradient, and Adam enlarges them.
    for key in ("validation", "test"):
        np.testing.assert_allclose(side_by_side.predictions[key], alone.predictions[key], rtol=1e-4)


# Nothing to act on.


@pytest.mark.parametrize(
    ("strategy", "data", "hidden"),
    [
        (Mirror(), table(), (4,)),
        (Shift(), table(), (4,)),
        (LabelSmoothing(), table(), (4,)),
        (Cost("cross_entropy"), table(), (4,)),
        (Initialization(output_bias="marginals"), table(), (4,)),
        (Noise(0, 0), DATA, (4,)),
        (Noise(0, 1), DATA, ()),
        (Dropout(0, 0), DATA, (4,)),
        (Dropout(0.5), DATA, ()),
        (BatchNorm(), DATA, ()),
        (Activation(), DATA, ()),
    ],
    ids=lambda part: getattr(part, "task", str(part)),
)
def test_a_strategy_without_effect_is_an_error(strategy, data, hidden):
    with pytest.raises(NothingToActOn, match=f"^{strategy.name}.* has nothing to act on: "):
        fit(recipe(strategy).replace(network=Mlp(hidden)), data)


@pytest.mark.parametrize("act", [L1().penalty, L2().penalty, MaxNorm().project], ids=["l1", "l2", "max_norm"])
def test_a_network_without_weights_is_an_error(act):
    with pytest.raises(NothingToActOn, match="no weights"):
        act(nnx.State({}))

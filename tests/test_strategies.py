"""The battery over every strategy found, and what only the package asks of its own.

A new file in `strategies/` is tested by being there.
"""

from __future__ import annotations

import itertools
import sys
from typing import Annotated, ClassVar

import jax
import numpy as np
import pytest
from flax import nnx
from pydantic import BeforeValidator, Field

from small import digits, example, recipe, table
from trainwright import strategies
from trainwright.base.config import config
from trainwright.networks.mlp import Mlp
from trainwright.report import catalogue
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
    Momentum,
    Noise,
    Shift,
)
from trainwright.strategy import NothingToActOn, Params, Strategy, map_kernels, uses
from trainwright.testing import (
    CHECKS,
    check_acts,
    check_combines_with_every_strategy,
    check_documents_its_settings,
    check_is_frozen,
    check_leaves_first_weights_alone,
    check_makes_a_step_with,
    check_refuses_bad_settings,
    check_takes_a_finite_step_with,
    groups,
)
from trainwright.training.building import Training
from trainwright.training.fit import fit, fit_all

DATA = digits()
NAMES = strategies.names()
# Pairs are checked below, each once.
SINGLE = [check for check in CHECKS if check is not check_combines_with_every_strategy]


@pytest.fixture(autouse=True)
def _strict_promotion(request):
    """Our own code mixes no kinds of numbers; optax raises Adam's decays to a whole number of steps."""
    optax_mixes = any(word in request.node.name for word in ("adam", "all_together"))
    with jax.numpy_dtype_promotion("standard" if optax_mixes else "strict"):
        yield


@pytest.mark.parametrize("check", SINGLE, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", NAMES)
def test_it_passes(name, check):
    check(strategies.find(name))


@pytest.mark.parametrize(("name", "other"), list(itertools.combinations(NAMES, 2)))
def test_it_makes_a_step_with_any_other(name, other):
    check_makes_a_step_with(strategies.find(name), strategies.find(other))


PAIRS = list(itertools.combinations(map(strategies.find, NAMES), 2))
GROUPS = groups(PAIRS)


@pytest.mark.parametrize("group", GROUPS, ids=lambda group: "-".join(cls.name for cls in group))
def test_a_step_with_any_other_is_finite(group):
    check_takes_a_finite_step_with(*group)


def test_each_pair_that_does_not_contradict_is_in_a_group():
    together = {pair for group in GROUPS for pair in itertools.permutations(group, 2)}
    contradicting = {(one.name, other.name) for one, other in PAIRS if (one, other) not in together}
    assert contradicting == set(itertools.combinations(PRETRAINING, 2))


@pytest.mark.parametrize("name", NAMES)
def test_its_file_is_its_page_in_the_catalogue(name):
    cls = strategies.find(name)
    assert cls.name == name == cls.__module__.rpartition(".")[2]
    assert ">>> " in cls.__doc__, "the class's docstring needs an example that runs"
    assert "\n\nSource: " in sys.modules[cls.__module__].__doc__
    for setting in catalogue.card(name).settings:
        assert setting.description, f"{setting.name} needs a docstring with its unit and meaning"


PRETRAINING = [name for name in NAMES if uses(example(name), "pretraining")]


@pytest.fixture
def _compiled_fast():
    """Without XLA's expensive passes: a program of all strategies takes a minute to compile with them."""
    jax.config.update("jax_disable_most_optimizations", True)
    yield
    jax.config.update("jax_disable_most_optimizations", False)


@pytest.mark.usefixtures("_compiled_fast")
def test_all_together_in_a_cohort_as_alone():
    """All strategies, but of the pretrainings, which exclude each other, only one, with what it needs."""
    chosen = [example(name) for name in NAMES if name not in PRETRAINING]
    companions = strategies.read(strategies.find(PRETRAINING[0]).companions)
    everything = recipe(*chosen, learning_rate=1e-3).adding(*companions, example(PRETRAINING[0]))
    both = [Training(everything, DATA, seed) for seed in (0, 1)]
    side_by_side = dict(fit_all(both, width=2))[both[1]]
    alone = next(fit_all(both[1:], width=1))[1]
    assert alone.status == "finished"
    # Not the weights: a bias before a batch norm has rounding errors for a gradient, and Adam enlarges them.
    for key in ("validation", "test"):
        np.testing.assert_allclose(side_by_side.predictions[key], alone.predictions[key], rtol=1e-4)


# The battery names what is wrong with a strategy. That a right one passes is tested in `test_docs.py`.


@config
class Shrink(Strategy):
    """A strategy with nothing wrong."""

    factor: Annotated[float, Field(gt=0, le=1)] = 0.9999
    """What each weight is multiplied by per step."""

    example: ClassVar = {"factor": 0.9}

    def project(self, params: Params) -> Params:
        return map_kernels(lambda kernel: self.factor * kernel, params)


class Thawed(Shrink):
    """Its settings can be changed."""

    name = "thawed"

    def __setattr__(self, name, setting):
        object.__setattr__(self, name, setting)


@config
class Undocumented(Strategy):
    """A setting without a docstring."""

    factor: float = 0.9


@config
class Lenient(Strategy):
    """It takes anything, and makes something of it."""

    factor: Annotated[float, BeforeValidator(lambda given: 0.9)] = 0.9
    """Whatever is given."""


@config
class Restarted(Strategy):
    """It draws first weights of its own without saying so."""

    def affine(self, site):
        return nnx.Linear(site.fan_in, site.units, rngs=nnx.Rngs(0))


@config
class Faint(Shrink):
    """It acts, but no more than rounding does."""

    example: ClassVar = {"factor": 1 - 1e-7}


@config
class Infinite(Shrink):
    """Its weights are not numbers after a step."""

    def project(self, params: Params) -> Params:
        return map_kernels(lambda kernel: kernel / 0, params)


@config
class Flat(Shrink):
    """It makes rows of images, which strategies after it cannot take."""

    def augment(self, x, key):
        return x.reshape(len(x), -1)


@pytest.mark.parametrize(
    ("check", "cls", "reason"),
    [
        (check_is_frozen, Thawed, "factor can be changed"),
        (check_documents_its_settings, Undocumented, "factor needs a docstring"),
        (check_refuses_bad_settings, Lenient, "is accepted"),
        (check_acts, Faint, "changes predictions by only"),
        (check_leaves_first_weights_alone, Restarted, "changes the first weights hidden1/kernel"),
    ],
)
def test_what_is_wrong_is_named(check, cls, reason):
    with pytest.raises(AssertionError, match=reason):
        check(cls)


def test_what_does_not_go_with_another_is_found():
    with pytest.raises(AssertionError, match="infinite with momentum with l2: hidden1/kernel is not finite"):
        check_takes_a_finite_step_with(Infinite, Momentum, L2)
    with pytest.raises(NothingToActOn, match="not an image"):
        check_makes_a_step_with(Flat, Shift)


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

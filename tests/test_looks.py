"""Looking again and what to do next: levels against simulation, and advice that comes true."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trainwright.comparison import paired
from trainwright.comparison.estimate import Estimate
from trainwright.comparison.looks import adjusted_p, nominal_level, spent
from trainwright.comparison.verdict import judge

histories = st.lists(st.floats(0.3, 0.95), min_size=0, max_size=4).map(
    lambda ratios: list(np.cumprod([1.0, *ratios]))
)


@pytest.mark.parametrize("variances", [[1, 0.5, 0.25], [1, 0.9, 0.8, 0.7], [1, 0.99], [3, 1]])
def test_what_is_spent_is_what_was_allowed(variances):
    """A Brownian motion at the looks, tested at the levels: how many have been rejected by then."""
    rng, paths, alpha = np.random.default_rng(0), 100_000, 0.05
    informations = 1 / np.array(variances)
    steps = np.sqrt(np.diff(informations, prepend=0))
    z = np.cumsum(rng.normal(size=(paths, len(variances))) * steps, axis=1) / np.sqrt(informations)
    levels = [nominal_level(alpha, variances[: look + 1]) for look in range(len(variances))]
    rejected = 2 * stats.norm.sf(np.abs(z)) < levels
    for look in range(len(variances)):
        ever = rejected[:, : look + 1].any(axis=1).mean()
        assert ever == pytest.approx(alpha * spent(look + 1), abs=4 * np.sqrt(alpha / paths))


def test_the_first_look_keeps_nine_tenths_of_the_power():
    assert nominal_level(0.05, [1.0]) == pytest.approx(0.04)
    for effect in (2.0, 2.8, 3.5):
        power = [stats.norm.sf(stats.norm.isf(level / 2) - effect) for level in (0.05, 0.04)]
        assert power[1] > 0.9 * power[0]


def test_a_look_that_adds_nothing_costs_nothing_but_its_share():
    assert nominal_level(0.05, [1.0, 1.0]) == pytest.approx(0.05 * spent(2), rel=0.01)
    assert (
        nominal_level(0.05, [1.0, 0.5]) < nominal_level(0.05, [1.0, 0.8]) < nominal_level(0.05, [1.0, 0.99])
    )


@settings(max_examples=15, deadline=None)
@given(histories, st.floats(1e-6, 0.4))
def test_adjusted_p_is_the_level_turned_round(variances, alpha):
    assert adjusted_p(nominal_level(alpha, variances), variances) == pytest.approx(alpha, rel=1e-3)


@settings(max_examples=15, deadline=None)
@given(histories, st.lists(st.floats(1e-12, 1), min_size=2, max_size=2))
def test_adjusted_p_is_a_larger_p_in_the_same_order(variances, ps):
    first, second = (adjusted_p(p, variances) for p in sorted(ps))
    assert min(ps) <= first <= second <= 1


def look(values: np.ndarray, looks: list[int]):
    return judge([paired.estimate(values)], delta=1.0, looks=looks)[0]


def test_advice_comes_true():
    """Effects as large as a standard error of the first look; the reference is the next look itself."""
    rng, given_, true = np.random.default_rng(1), 0, 0
    for _ in range(100):
        values = rng.normal(2 * rng.normal(), np.sqrt(10), size=1000)
        found = look(values[:10], [])
        if found.verdict == "inconclusive" and found.more_seeds and found.more_seeds <= 990:
            given_ += 1
            true += look(values[: 10 + found.more_seeds], [10]).verdict != "inconclusive"
    assert given_ > 30
    assert true >= 0.75 * given_


def test_no_number_of_seeds_is_advised_where_examples_decide():
    estimate = Estimate(0.1, trainings=0.1, examples=0.9, df=50, count=10)
    for without in (estimate, replace(estimate, trainings=0.0)):
        (found,) = judge([without], delta=0.5)
        assert (found.verdict, found.more_seeds) == ("inconclusive", None)
    (found,) = judge([Estimate(0.1, trainings=0.99, examples=0.01, df=50, count=10)], delta=1.0)
    assert found.more_seeds


@pytest.mark.parametrize("shift", [0.0, -0.1])
@pytest.mark.parametrize("count", [2, 3, 5])
def test_agreement_that_goes_on_decides_when_it_is_said_to(shift: float, count: int):
    now = look(np.full(count, shift), [])
    assert now.more_seeds
    later = [look(np.full(count + more, shift), [count]).verdict for more in range(1, now.more_seeds + 1)]
    assert later[-1] == "no difference" if shift == 0 else later[-1] != "inconclusive"
    assert set(later[:-1]) <= {"inconclusive"}


def test_advice_comes_in_steps():
    (found,) = judge([Estimate(0.1, trainings=0.99, examples=0.01, df=50, count=10)], delta=1.0, step=5)
    assert found.more_seeds
    assert found.more_seeds % 5 == 0

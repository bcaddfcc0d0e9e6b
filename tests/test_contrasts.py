"""Factorial studies and ablation paths: contrasts whose truth is known."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from trainwright.base.errors import SettingError
from trainwright.comparison.contrasts import design, factorial
from trainwright.comparison.path import trace
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.studies.factorial import combined

EXAMPLES = 400


def runs(error: float, arm: int, noise: float) -> tuple[Run, ...]:
    """Six regressions whose mean absolute error is about `error`; `arm` makes the noise of its own."""
    made = []
    for seed in range(6):
        wobble = np.random.default_rng([seed, arm]).normal(0, noise, EXAMPLES)
        common = np.random.default_rng(seed).normal(0, 0.05, EXAMPLES)  # paired away
        off = (error + wobble + common).astype(np.float32)
        truth = np.zeros(EXAMPLES, np.float32)
        predictions = {
            "validation": off, "validation_targets": truth, "validation_rows": np.arange(EXAMPLES),
            "test": off, "test_targets": truth, "test_rows": np.arange(EXAMPLES),
        }  # fmt: skip
        made.append(
            Run(
                recipe={"name": "recipe"}, data={"task": "regression", "fingerprint": "f"}, seed=seed,
                status="finished", steps=1, best_step=1, parameters=1, seconds=1.0, memory_bytes=1,
                environment={}, history={}, predictions=predictions, weights={},
            )
        )  # fmt: skip
    return tuple(made)


@pytest.mark.parametrize("factors", range(2, 9))
def test_designs_are_balanced_and_mix_no_two_effects(factors: int) -> None:
    made = design(factors)
    signs = np.array([[1 if factor in run else -1 for factor in range(factors)] for run in made.runs])
    assert len(signs) * made.share == 2**factors
    assert len({tuple(row) for row in signs}) == len(signs)
    assert made.runs[0] == frozenset(), "the first is plain: it is the arms' reference"
    names = [(factor,) for factor in range(factors)] + list(combinations(range(factors), 2))
    columns = np.stack([signs[:, list(name)].prod(axis=1) for name in names])
    assert np.array_equal(columns @ columns.T, len(signs) * np.eye(len(names)))
    assert (columns.sum(axis=1) == 0).all()


@pytest.mark.parametrize("factors", [3, 6])
def test_a_factorial_finds_main_effects_and_the_one_interaction(factors: int) -> None:
    names = [f"s{number}" for number in range(factors)]

    def error(present: frozenset[str]) -> float:
        both = {"s0", "s2"} <= present
        return 1.0 - 0.1 * ("s0" in present) + 0.05 * ("s1" in present) - 0.08 * both

    arms = {}
    for number, run in enumerate(design(factors).runs):
        present = frozenset(names[factor] for factor in run)
        arms[present] = runs(error(present), number, 0.02)
    found = factorial(arms, names, metric="mae", delta=0.02)
    effects = {effect.factors: effect for effect in found.effects}
    # A main effect is the mean over the other factors: half of the interaction belongs to each.
    assert effects[("s0",)].interval.mean == pytest.approx(-0.14, abs=0.005)
    assert effects[("s1",)].interval.mean == pytest.approx(0.05, abs=0.005)
    assert effects[("s0", "s2")].interval.mean == pytest.approx(-0.08, abs=0.01)
    assert effects[("s0",)].verdict == "helps"
    assert effects[("s1",)].verdict == "hurts"
    assert effects[("s0", "s2")].verdict == "helps"
    quiet = [effect for name, effect in effects.items() if not set(name) & {"s0", "s1", "s2"}]
    assert all(effect.verdict == "no difference" for effect in quiet)
    assert found.share == (2 if factors == 6 else 1)


def test_a_factorial_s_effects_pay_for_earlier_looks() -> None:
    arms = {frozenset(present): runs(1 - 0.01 * len(present), n, 0.02) for n, present in enumerate(("", "a"))}
    once, again = (factorial(arms, ["a"], metric="mae", looks=looks).effects[0] for looks in ((), (5,)))
    assert again.p_holm > once.p_holm


def test_a_factorial_takes_one_setting_of_every_strategy() -> None:
    with pytest.raises(SettingError, match="one setting of each strategy"):
        combined(Recipe(), ["l2", "dropout(hidden_rate=0.2|0.5)"])
    with pytest.raises(SettingError, match="dropout is in two arms"):
        combined(Recipe(), ["dropout(0.2)", "dropout(0.5)"])
    with pytest.raises(SettingError, match="2 to 8 strategies, not 1"):
        combined(Recipe(), ["dropout"])
    assert combined(Recipe(), ["l2", "momentum"]).factors["l2 + momentum"] == ("l2", "momentum")


def test_a_path_says_what_each_part_costs_where_it_stands_and_which_need_each_other() -> None:
    # a helps by 0.1; b and c do nothing alone and 0.2 together.
    def error(removed: frozenset[str]) -> float:
        return 1.0 - 0.1 * ("a" not in removed) - 0.2 * (not removed & {"b", "c"})

    parts = ("a", "b", "c")
    order = ("a", "b", "c")
    needed = [(), "a", "b", "c", "ab", "ac", "abc"]
    ablated = {frozenset(one): runs(error(frozenset(one)), arm, 0.01) for arm, one in enumerate(needed)}
    found = trace(ablated, order, parts, metric="mae")
    assert [step.verdict for step in found.steps] == ["hurts", "hurts", "no difference"]
    assert [step.could_go for step in found.steps] == [False, False, True]
    assert found.steps[0].cost.mean == pytest.approx(0.1, abs=0.01)
    assert found.complete
    by_pair = {pair.parts: pair for pair in found.interactions}
    assert set(by_pair) == {("a", "b"), ("a", "c"), ("b", "c")}
    assert by_pair["b", "c"].only_together
    assert by_pair["b", "c"].difference.mean == pytest.approx(0.2, abs=0.01)
    assert not by_pair["a", "b"].shown


def test_a_path_may_end_early() -> None:
    ablated = {frozenset(one): runs(0.5, arm, 0.01) for arm, one in enumerate(((), "a", "b"))}
    found = trace(ablated, ("a",), ("a", "b"), metric="mae")
    assert not found.complete
    assert found.interactions == ()

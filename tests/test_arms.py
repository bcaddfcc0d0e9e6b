"""Arms: a name and its candidates, as written on the command line or given in Python."""

from __future__ import annotations

import pytest

from trainwright.base.errors import SettingError
from trainwright.baselines import Guess, Linear
from trainwright.recipe import Recipe
from trainwright.strategies import L2, Adam, Dropout, Momentum
from trainwright.studies.arms import Arm, alternatives, as_arms, read_arms, read_baselines


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("dropout", ["dropout"]),
        ("dropout(0.1|0.2)", ["dropout(0.1)", "dropout(0.2)"]),
        ("l2(1e-4|1e-3)", ["l2(0.0001)", "l2(0.001)"]),
        ("early_stopping(monitor='loss'|'error')",
         ["early_stopping(monitor='loss')", "early_stopping(monitor='error')"]),
        ("dropout(0.1|0.2), batch_norm", ["dropout(0.1), batch_norm", "dropout(0.2), batch_norm"]),
        ("noise(input_std=0.1|0.2, hidden_std=-1|None)",
         [f"noise(input_std={i}, hidden_std={h})" for i in (0.1, 0.2) for h in (-1, None)]),
        ("activation('a|b')", ["activation('a|b')"]),
    ],
)  # fmt: skip
def test_alternatives_are_written_out(text: str, expected: list[str]) -> None:
    assert alternatives(text) == expected


@pytest.mark.parametrize(
    "text", ["l1|l2", "dropout(rate|0.5)", "dropout(0.1||0.2)", "dropout(max(1|2))", "dropout(*x|y)", "a|"]
)
def test_alternatives_that_are_no_plain_values_are_refused(text: str) -> None:
    with pytest.raises(SettingError, match=r"cannot read"):
        read_arms(Recipe(), [text])


def test_an_arm_takes_the_place_of_the_base_s_strategy() -> None:
    base = Recipe(strategies=(Momentum(0.5), L2()))
    arms = read_arms(base, ["momentum(0.9|0.99)", "dropout"])
    assert arms["plain"] == (base,)
    assert [recipe.strategies for recipe in arms["momentum"]] == [(Momentum(d), L2()) for d in (0.9, 0.99)]
    assert [recipe.strategies for recipe in arms["dropout"]] == [(Momentum(0.5), L2(), Dropout())]


def test_families_of_the_same_strategies_are_told_apart() -> None:
    arms = read_arms(Recipe(), ["dropout(0.1|0.2)", "dropout(0.5|0.8)", "dropout(0.3)"])
    assert list(arms) == ["plain", "dropout(0.1|0.2)", "dropout(0.5|0.8)", "dropout(0.3)"]


def test_baselines_are_families_too() -> None:
    assert read_baselines(["guess", "linear(penalty=1|2)"]) == {
        "guess": (Guess(),),
        "linear": (Linear(1.0), Linear(2.0)),
    }
    with pytest.raises(SettingError, match="name one baseline"):
        read_baselines(["guess, linear"])
    with pytest.raises(SettingError, match="no baseline 'forest'"):
        read_baselines(["forest"])


def test_texts_that_name_one_baseline_give_its_candidates_together() -> None:
    read = read_baselines(["svm(cost=1.0)", "svm(cost=10.0)", "svm(cost=1.0|100.0)"])
    assert [svm.cost for svm in read["svm"]] == [1.0, 10.0, 100.0]


def test_what_makes_no_arm_is_refused() -> None:
    recipe = Recipe()
    with pytest.raises(SettingError, match="arm 'l2' is given twice"):
        read_arms(recipe, ["l2", "dropout(0.5)", "l2"])
    with pytest.raises(SettingError, match="no candidates"):
        as_arms({"a": ()})
    with pytest.raises(SettingError, match="twice"):
        Arm("a", (recipe, recipe))
    with pytest.raises(SettingError, match="mixes"):
        Arm("a", (recipe, Guess()))
    with pytest.raises(SettingError, match="neither a recipe nor a baseline"):
        as_arms({"a": (Adam(),)})  # type: ignore[dict-item]

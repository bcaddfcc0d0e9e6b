"""Values: what a wrong setting is told."""

from __future__ import annotations

from typing import Annotated

import pytest
from pydantic import Field

from trainwright.base.config import Config, config, parse
from trainwright.base.errors import SettingError


@config
class Spring(Config):
    stiffness: Annotated[float, Field(gt=0)]
    """Newtons per metre."""
    turns: Annotated[int, Field(ge=1)] = 3
    """How many."""


@config
class Chain(Config):
    lengths: tuple[Annotated[int, Field(ge=1)], ...] = (1,)
    """Each link's."""


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "spring: stiffness is not given: give a number in (0, ∞)"),
        ({"stiffness": -1}, "spring: stiffness = -1 is not allowed: give a number in (0, ∞)"),
        ({"stiffness": 1, "turns": 0.5}, "spring: turns = 0.5 is not allowed: give a whole number in [1, ∞)"),
        (
            {"stiffness": 1, "colour": "red"},
            "there is no setting 'colour'; its settings are: stiffness, turns",
        ),
        ({"stiffness": float("nan")}, "spring: stiffness = nan is not allowed"),
    ],
)
def test_a_wrong_setting_is_named_with_what_is_allowed(settings: dict[str, object], message: str) -> None:
    with pytest.raises(SettingError) as raised:
        Spring(**settings)
    assert message in str(raised.value)


def test_several_numbers_for_one_setting_go_in_parentheses() -> None:
    said = r"lengths = 64 is not allowed: give a list in parentheses, each a whole number in \[1, ∞\)"
    with pytest.raises(SettingError, match=f"{said}; 32 is one setting too many$"):
        Chain(64, 32)
    with pytest.raises(SettingError, match=f"{said}$"):
        Chain(lengths=64)


def test_json_and_text_give_the_value_back() -> None:
    spring = Spring(2.5, turns=4)
    assert Spring.from_json(spring.to_json()) == spring
    [(name, arguments, settings)] = parse(str(spring))
    assert (name, Spring(*arguments, **settings)) == ("spring", spring)


@pytest.mark.parametrize(
    "text", ["spring(", "spring()()", "a.b", "spring(**{})", "spring(open('x'))", "1", "lambda: 0"]
)
def test_text_that_is_no_list_of_values_is_refused(text: str) -> None:
    with pytest.raises(SettingError, match="cannot read"):
        parse(text)

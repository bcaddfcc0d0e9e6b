"""The catalogue says of every strategy what its file says, and its examples can be used as they stand."""

import pytest

from trainwright import strategies
from trainwright.base.errors import SettingError
from trainwright.report import catalogue


@pytest.mark.parametrize("name", strategies.names())
def test_a_card_is_complete(name):
    card = catalogue.card(name)
    assert card.name == name
    assert card.summary.endswith(".")
    assert ": " in card.changes
    assert card.source
    assert not card.source.startswith("Source")
    assert card.source not in card.deviations
    for setting in card.settings:
        assert setting.description, f"{name}.{setting.name} has no docstring"
        assert setting.allowed
    assert len({setting.name for setting in card.settings}) == len(card.settings)


@pytest.mark.parametrize("name", strategies.names())
def test_an_example_is_what_the_command_line_reads(name):
    cls = strategies.find(name)
    companions = strategies.read(cls.companions)
    assert strategies.read(catalogue.card(name).example) == (*companions, cls(**cls.example))


@pytest.mark.parametrize("name", strategies.names())
def test_defaults_are_the_strategy_s(name):
    card = catalogue.card(name)
    assert f"{strategies.find(name).__name__}(" + ", ".join(
        f"{setting.name}={setting.default}" for setting in card.settings
    ) + ")" == repr(strategies.find(name)())


def test_cards_are_one_for_each_strategy():
    assert [card.name for card in catalogue.cards()] == strategies.names()


def test_an_unknown_name_gets_the_nearest():
    with pytest.raises(SettingError, match="did you mean dropout"):
        catalogue.card("dropuot")

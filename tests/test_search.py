"""The search: its procedure on made-up outcomes, its budget, and the moves that it may make."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

from trainwright.base.errors import SettingError
from trainwright.base.keys import generator
from trainwright.comparison.metrics import METRICS
from trainwright.data import load
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.search import moves
from trainwright.search.budget import FEWEST, SearchBudget
from trainwright.search.confirmation import NUMBERS, parts_of, taken_out
from trainwright.search.delivery import fit_command, in_python
from trainwright.search.procedure import Effort, OutOfBudget, Standing, search
from trainwright.search.progress import of_standing
from trainwright.search.racing import clearly_worse, race, replaces
from trainwright.search.space import Space, spelled
from trainwright.strategies import read
from trainwright.studies.arms import Candidate
from trainwright.studies.progress import StudyProgress
from trainwright.studies.trials import Outcome, Procedure, Trial
from trainwright.studies.tuning import Tuning

BASE = Recipe(Mlp((4,)), learning_rate=0.1, epochs=4)
EFFORT = Effort(1, 3)
TUNING = Tuning(9, 1, longest=1)

Error = Callable[[Recipe], float]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    return load((x, np.where(x[:, 0] > 0, "yes", "no"))).set_aside()


def space(data, *arms: str, **given) -> Space:
    return Space(data, BASE, arms=arms, fixed_network=True, **given)


def names(recipe: Recipe) -> set[str]:
    return {strategy.name for strategy in recipe.strategies}


def carried_out(
    procedure: Procedure[Standing], standing: Standing, error: Error, noise: float, most: int = 10_000
) -> Standing:
    """Drive a search with made-up errors, noise shared by all recipes of a trial, for so many trials."""
    try:
        ask = next(procedure)
        while True:
            for trial in dict.fromkeys(ask):
                if trial in standing.outcomes:
                    continue
                if len(standing.outcomes) >= most:
                    procedure.throw(OutOfBudget())
                standing.outcomes[trial] = made_up(trial, error, noise)
            ask = procedure.send(standing.outcomes)
    except StopIteration as end:
        return end.value  # type: ignore[no-any-return]


def made_up(trial: Trial, error: Error, noise: float) -> Outcome:
    candidate: Candidate = trial.candidate
    assert isinstance(candidate, Recipe)
    own = generator(trial.number, repr(candidate)).normal(0, noise)
    value = error(candidate) + generator(trial.number, "fold").normal(0, 0.05) + own
    return Outcome(value, value, math.isnan(value), (1.0, 0.5, 0.5, 0.5))


def found(data, error: Error, *arms: str, noise: float = 0.001, most: int = 10_000) -> Standing:
    where = space(data, *arms)
    standing = Standing(where.plain, where.plain)
    procedure = search(where, standing, [], TUNING, EFFORT, seed=0)
    return carried_out(procedure, standing, error, noise, most)


def off_rate(recipe: Recipe, best: float) -> float:
    return 0.02 * math.log10(recipe.learning_rate / best) ** 2


ARMS = ("l2(1e-3|1e-2)", "batch_norm", "dropout(hidden_rate=0.2|0.5)")


def test_what_helps_is_combined_at_the_rate_that_suits_it(data) -> None:
    def error(recipe: Recipe) -> float:
        had = names(recipe)
        gain = 0.05 * ("batch_norm" in had) + 0.03 * (
            "dropout(hidden_rate=0.2)" in map(str, recipe.strategies)
        )
        return 0.4 - gain + 0.05 * ("l2" in had) + off_rate(recipe, 0.56 if "batch_norm" in had else 0.032)

    standing = found(data, error, *ARMS)
    assert standing.plain.learning_rate == pytest.approx(0.032)
    assert names(standing.single) == {"batch_norm"}
    assert spelled(standing.best, BASE) in (
        "batch_norm, dropout(hidden_rate=0.2)",
        "dropout(hidden_rate=0.2), batch_norm",
    )
    assert standing.best.learning_rate == pytest.approx(0.56)
    assert standing.exhausted


def test_a_pair_that_helps_only_together_is_found(data) -> None:
    def error(recipe: Recipe) -> float:
        had = names(recipe)
        return 0.4 + 0.02 * len(had) - 0.2 * ({"l2", "dropout"} <= had) + off_rate(recipe, 0.1)

    standing = found(data, error, *ARMS)
    assert names(standing.best) == {"l2", "dropout"}


def test_below_a_rate_that_fails_the_next_lower_one_is_taken_where_it_is_as_good(data) -> None:
    def error(recipe: Recipe) -> float:
        if "l2" not in names(recipe):
            return 0.4 + off_rate(recipe, 0.1)
        return 0.9 if recipe.learning_rate > 0.4 else 0.3 if recipe.learning_rate > 0.17 else 0.32

    standing = found(data, error, *ARMS, noise=0.0)
    assert standing.single is not None
    assert names(standing.best) == names(standing.single) == {"l2"}
    assert standing.best.learning_rate == standing.single.learning_rate == 0.18


def test_where_nothing_helps_plain_stays(data) -> None:
    standing = found(data, lambda recipe: 0.4 + 0.01 * len(recipe.strategies) + off_rate(recipe, 0.1), *ARMS)
    assert standing.best.strategies == ()
    assert standing.single is not None


@pytest.mark.parametrize("most", [1, 5, 11, 14, 25, 40])
def test_a_search_that_is_ended_has_the_best_of_what_it_tried(data, most: int) -> None:
    def error(recipe: Recipe) -> float:
        return 0.4 - 0.1 * ("l2" in names(recipe)) + off_rate(recipe, 0.1)

    standing = found(data, error, *ARMS, most=most)
    assert len(standing.outcomes) == most
    assert not standing.exhausted
    tried = {trial.candidate for trial in standing.outcomes}
    assert standing.best in tried or most < 5
    if any(isinstance(one, Recipe) and names(one) == {"l2"} for one in tried) and standing.screened:
        assert names(standing.best) == {"l2"}


def test_the_best_so_far_is_shown_beside_plain_on_the_same_trials(data) -> None:
    where, other = space(data, "l2"), BASE.adding(*read("l2"))
    outcomes = {Trial(BASE, number): Outcome(error, error) for number, error in enumerate((0.5, 0.1, 0.1))}
    outcomes |= {Trial(other, 0): Outcome(0.4, 0.4)}
    standing = Standing(where.plain, other, outcomes=outcomes)
    doing = StudyProgress("tuning", runs=10, done=4, diverged=0, fraction=0.4, latest="")
    shown = of_standing(standing, where, METRICS["error"], SearchBudget(trainings=100), doing)
    assert (shown.error, shown.plain) == (0.4, 0.5)


def test_what_diverges_never_wins(data) -> None:
    def error(recipe: Recipe) -> float:
        return math.nan if "batch_norm" in names(recipe) else 0.4

    standing = found(data, error, *ARMS)
    assert "batch_norm" not in names(standing.best)


def test_a_race_drops_losers_and_prefers_the_simpler_within_one_standard_error(data) -> None:
    plain, larger = BASE, space(data, *ARMS).plain.adding(*Space(data, BASE, keep="l2").plain.strategies)
    losers = [BASE.replace(learning_rate=rate) for rate in (1.0, 2.0, 3.0, 4.0)]
    asked: list[set[Candidate]] = []

    def outcome(trial: Trial) -> Outcome:
        if trial.candidate == larger:  # better on the average, by less than a standard error
            return Outcome(0.4 + (0.1, -0.101, 0.1, -0.101)[trial.number % 4], 0.4)
        return Outcome(0.4 if trial.candidate == plain else 0.6, 0.4)

    procedure = race([larger, *losers], 2, 4, incumbent=plain)
    winner: Recipe | None = None
    ask = next(procedure)
    while winner is None:
        asked.append({trial.candidate for trial in ask})
        try:
            ask = procedure.send({trial: outcome(trial) for trial in ask})
        except StopIteration as end:
            winner = end.value
    assert winner == plain
    assert len(asked[0]) == 6
    assert len(asked[1]) <= 3
    assert plain in asked[1]


# The space


def test_what_diverged_is_decided_without_a_warning(data) -> None:
    """Some diverge, the incumbent too: nothing is computed of infinite differences."""
    plain, other = BASE, BASE.replace(learning_rate=0.2)
    outcomes = {Trial(plain, 0): Outcome(0.1, 0.1), Trial(plain, 1): Outcome(math.nan, math.nan, True)}
    outcomes |= {Trial(other, 0): Outcome(0.5, 0.5, True), Trial(other, 1): Outcome(0.1, 0.1)}
    assert not clearly_worse(other, plain, 2, outcomes), "both diverged once"
    assert clearly_worse(other, plain, 1, outcomes)
    added = BASE.adding(*read("l2"))
    outcomes |= {Trial(added, 0): Outcome(0.3, 0.3), Trial(added, 1): Outcome(0.3, 0.3)}
    assert replaces(added, plain, 2, outcomes)
    assert not replaces(plain, added, 2, outcomes)


def test_a_search_without_families_keeps_what_it_found(data) -> None:
    """All that could be added is kept already: only numbers are searched, and the best of them stays."""
    where = space(data, "l2", keep="l2")
    assert where.families == {}
    error = lambda recipe: 0.1 + 0.1 * abs(math.log10(recipe.learning_rate / 0.01))  # noqa: E731
    for most in (30, 60, 10_000):
        standing = Standing(where.plain, where.plain)
        procedure = search(where, standing, [], TUNING, EFFORT, seed=0)
        carried_out(procedure, standing, error, 0.0, most)
        assert standing.best.learning_rate == pytest.approx(0.01)


def test_an_arm_that_cannot_be_tried_is_refused_at_once(data) -> None:
    for arm, message in (
        ("dropuot(0.5)", "did you mean dropout"),
        ("shift(1)", "shift"),
        ("adam, momentum", "exclude each other"),
    ):
        with pytest.raises(SettingError, match=message):
            space(data, "l2", arm)
    family = space(data, "momentum(0.5|0.9)", "momentum(0.95|0.99)").families["momentum"]
    assert [strategy.decay for (strategy,) in family] == [0.5, 0.9, 0.95, 0.99]


def test_nothing_is_tried_that_cannot_act_or_excludes_another(data) -> None:
    where = space(data, "max_norm(1.0)", "adam", "momentum(0.9)", "activation('maxout')",
                  "activation('tanh')")  # fmt: skip
    assert not {"mirror", "shift"} & space(data).families.keys()  # no images
    adam = where.plain.adding(*where.families["adam"][0])
    assert not where.allows(adam.adding(*where.families["momentum(0.9)"][0]))
    assert all(where.allows(recipe) for recipe in moves.jumps(where, adam, 0, 0))


def test_kept_and_left_out_strategies_stay_so(data) -> None:
    where = Space(data, BASE, keep="l2(0.01)", without=("dropout",))
    assert [str(strategy) for strategy in where.plain.strategies] == ["l2(coefficient=0.01)"]
    assert not {"l2", "dropout"} & {s.name for family in where.families.values() for s in family[0]}
    assert all("l2" in names(recipe) for recipe in moves.removals(where, where.plain.adding()))
    with pytest.raises(SettingError, match="l2: it cannot be both kept and left out"):
        Space(data, BASE, keep="l2", without=("l2",))
    with pytest.raises(SettingError, match="there is no strategy 'dropuot'"):
        Space(data, BASE, without=("dropuot",))


def test_moves_stay_within_bounds_and_change_one_thing(data) -> None:
    where = Space(data, BASE, arms=ARMS)
    recipe = where.plain.adding(*where.families["dropout"][0])
    for move in (moves.rates, moves.settings, moves.shapes, moves.removals):
        for near in move(where, recipe):
            parts = ("network", "strategies", "learning_rate", "batch_size", "epochs")
            changed = [name for name in parts if getattr(near, name) != getattr(recipe, name)]
            assert len(changed) <= 1
    assert moves.jumps(where, recipe, 1, 2) == moves.jumps(where, recipe, 1, 2)
    assert moves.jumps(where, recipe, 1, 2) != moves.jumps(where, recipe, 1, 3)


# The budget


def test_a_budget_of_no_time_or_hardly_any_trainings_is_refused() -> None:
    for minutes in (0, -1, math.nan, math.inf):
        with pytest.raises(SettingError, match="give a positive number"):
            SearchBudget(minutes=minutes)
    with pytest.raises(SettingError, match=f"give {FEWEST} or more"):
        SearchBudget(trainings=FEWEST - 1)


def test_stored_trainings_count_but_take_no_time() -> None:
    budget = SearchBudget(trainings=100)
    assert budget.room(80, 0) == 50  # the rest is for the confirmation
    budget.charge(50, 0)
    assert budget.room(1, 1) == 0
    assert budget.affords(49, 49)
    assert not budget.affords(50, 50)  # the last is the model's
    late = SearchBudget(minutes=1, spent=100.0)
    assert late.room(7, 0) == 7
    assert late.room(7, 3) == 0


# Taking apart and handing over


def test_a_recipe_is_taken_apart_down_to_the_plain_one(data) -> None:
    where = space(data, *ARMS)
    best = where.plain.adding(*where.families["l2"][0], *where.families["batch_norm"][0]).replace(epochs=8)
    assert parts_of(best, where.plain) == ("l2", "batch_norm", NUMBERS)
    assert taken_out(best, where.plain, frozenset(parts_of(best, where.plain))) == where.plain
    assert names(taken_out(best, where.plain, frozenset({"l2"}))) == {"batch_norm"}
    assert parts_of(where.plain, where.plain) == ()


def test_a_recipe_is_handed_over_in_python_and_as_a_command(data) -> None:
    recipe = space(data, *ARMS).plain.adding(
        *Space(data, BASE, keep="dropout(0.2), l2(1e-3)").plain.strategies
    )
    scope: dict[str, object] = {}
    exec(in_python(recipe), scope)
    assert scope["recipe"] == recipe
    assert fit_command(recipe, BASE, None, data) == ""  # arrays have no name

"""Tuning as a pure procedure: no network is trained here, errors are made up."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwright.base.errors import SettingError
from trainwright.baselines import Linear
from trainwright.recipe import Recipe
from trainwright.strategies import L2, Adam, Dropout
from trainwright.studies.arms import Arm, Candidate
from trainwright.studies.cliff import safe_rate
from trainwright.studies.length import still_improves
from trainwright.studies.trials import Outcome, Outcomes, Procedure, Trial, side_by_side
from trainwright.studies.tuning import (
    Choice,
    Tuning,
    allowance,
    choose,
    settle_length,
    tune,
)

Judge = Callable[[Trial], Outcome]

PLAIN = Recipe(epochs=8)
DROPOUT = tuple(PLAIN.replace(strategies=(Dropout(rate),)) for rate in (0.1, 0.2, 0.5))


def carry_out(procedure: Procedure, judge: Judge) -> tuple[object, list[Trial]]:
    """What a procedure returns, and all that it asked for, in order."""
    outcomes: dict[Trial, Outcome] = {}
    asked: list[Trial] = []
    try:
        ask = next(procedure)
        while True:
            asked += [trial for trial in ask if trial not in outcomes]
            outcomes |= {trial: judge(trial) for trial in ask}
            ask = procedure.send(outcomes)
    except StopIteration as end:
        return end.value, asked


def valley(best: float, noise: float = 0.0) -> Judge:
    """Errors that grow with the distance from the best rate, in factors of ten."""

    def judge(trial: Trial) -> Outcome:
        rate = trial.candidate.learning_rate if isinstance(trial.candidate, Recipe) else best
        rng = np.random.default_rng([trial.number, int(1e6 * rate)])
        error = 0.1 + 0.1 * math.log10(rate / best) ** 2 + noise * rng.normal()
        return Outcome(error, 10 * error)

    return judge


def rate(choice: object) -> float:
    assert isinstance(choice, Choice)
    assert isinstance(choice.candidate, Recipe)
    return choice.candidate.learning_rate


@pytest.mark.parametrize("best", [1e-4, 1e-3, 0.02, 0.1, 0.5, 3.0])
def test_the_grid_widens_until_the_best_rate_lies_inside_and_is_refined(best: float) -> None:
    choice, asked = carry_out(tune(Arm("a", (PLAIN,)), Tuning(), 0.1, 30), valley(best))
    assert isinstance(choice, Choice)
    assert not choice.at_edge
    assert abs(math.log10(rate(choice) / best)) <= 0.126  # half a rung of a quarter of a decade
    assert len(asked) <= 30


@pytest.mark.parametrize(("best", "end"), [(1e-7, 1e-5), (1e4, 10.0)])
def test_no_rate_beyond_the_ladder_is_tried(best: float, end: float) -> None:
    choice, asked = carry_out(tune(Arm("a", (PLAIN,)), Tuning(), 0.1, 60), valley(best))
    assert rate(choice) == end
    assert all(1e-5 <= trial.candidate.learning_rate <= 10 for trial in asked)  # type: ignore[union-attr]
    assert isinstance(choice, Choice)
    assert choice.at_edge


def test_every_arm_has_the_same_allowance_and_uses_most_of_it() -> None:
    arms = [
        Arm("plain", (PLAIN,)),
        Arm("dropout", DROPOUT),
        Arm("adam", (PLAIN.replace(strategies=(Adam(),)),)),
    ]
    tuning = Tuning(trainings=36, first=2)
    (_, choices), asked = carry_out(choose(arms, arms[0], tuning, 5), valley(0.3, noise=0.01))  # type: ignore[misc]
    for arm in arms:
        used = sum(setting.trainings for setting in choices[arm.name].tried)
        assert 30 <= used <= 36
    assert len(set(asked)) == len(asked)
    assert {trial.candidate for trial in asked} >= {setting.candidate for setting in choices["dropout"].tried}


@pytest.mark.parametrize("first", [1, 2, 4])
@pytest.mark.parametrize("end", [0.032, 0.32])
def test_a_rate_that_becomes_the_best_late_has_neighbours_on_both_sides(first: int, end: float) -> None:
    """In the first trainings the middle of the grid is best; with more seeds it is the end of the grid."""

    def judge(trial: Trial) -> Outcome:
        best = 0.1 if trial.number < first else end
        return valley(best)(trial)

    for most in range(14 * first, 20 * first):
        choice, asked = carry_out(tune(Arm("a", (PLAIN,)), Tuning(first=first), 0.1, most), judge)
        assert isinstance(choice, Choice)
        assert not choice.at_edge
        assert len(asked) <= most


def test_the_allowance_grows_with_the_largest_family() -> None:
    many = tuple(PLAIN.replace(strategies=(Dropout(0.1 * n),)) for n in range(1, 9))
    arms = [Arm("plain", (PLAIN,)), Arm("dropout", many)]
    assert allowance(arms, Tuning(24, first=1)) == 2 * 8 * 3
    assert allowance(arms[:1], Tuning(24, first=1)) == 24


def test_the_better_half_gets_twice_the_seeds() -> None:
    def judge(trial: Trial) -> Outcome:
        (strategy,) = trial.candidate.strategies  # type: ignore[union-attr]
        far = abs(math.log10(trial.candidate.learning_rate / 0.1))  # type: ignore[union-attr]
        return Outcome(0.1 + abs(strategy.hidden_rate - 0.2) + 0.01 * far, 1.0)

    choice, _ = carry_out(tune(Arm("a", DROPOUT), Tuning(first=1), 0.1, 40), judge)
    assert isinstance(choice, Choice)
    assert choice.candidate.strategies == (Dropout(0.2),)  # type: ignore[union-attr]
    counts = {setting.candidate: setting.trainings for setting in choice.tried}
    assert max(counts.values()) == counts[choice.candidate] >= 4
    assert all(
        count == 1
        for candidate, count in counts.items()
        if candidate.strategies == (Dropout(0.5),)  # type: ignore[union-attr]
    )


def test_settings_are_ranked_on_the_same_seeds() -> None:
    """Seeds that are hard for all must not count against who happened to train on them."""

    def judge(trial: Trial) -> Outcome:
        return valley(0.1)(trial)._replace(error=valley(0.1)(trial).error + trial.number)

    choice, _ = carry_out(tune(Arm("a", (PLAIN,)), Tuning(), 0.1, 24), judge)
    assert rate(choice) == 0.1


def test_ties_go_to_the_lower_loss_and_then_to_the_smaller_rate() -> None:
    def by_loss(trial: Trial) -> Outcome:
        return valley(0.1)(trial)._replace(error=0.0)

    assert rate(carry_out(tune(Arm("a", (PLAIN,)), Tuning(), 0.1, 24), by_loss)[0]) == 0.1
    even = Tuning(rates=(0.1, 0.2))
    assert rate(carry_out(tune(Arm("a", (PLAIN,)), even, 0.1, 24), lambda _: Outcome(0.1, 1.0))[0]) == 0.1


def cliff(worse: float, spread: float = 0.001) -> Judge:
    """The best rate is 0.32, from 0.56 on trainings fail, and at 0.18 the error is so much larger."""
    means = {0.18: 0.1 + worse, 0.32: 0.1}

    def judge(trial: Trial) -> Outcome:
        assert isinstance(trial.candidate, Recipe)
        rate, sign = trial.candidate.learning_rate, (-1) ** trial.number
        error = 0.9 if rate > 0.5 else means.get(rate, 0.2) + sign * spread * (rate == 0.18)
        return Outcome(error, error)

    return judge


@pytest.mark.parametrize(
    ("worse", "expected"),
    [(0.0001, 0.18), (0.01, 0.32)],  # within the standard error; beyond it
)
def test_right_below_a_cliff_the_next_lower_rate_is_taken_where_it_is_as_good(
    worse: float, expected: float
) -> None:
    choice, _ = carry_out(tune(Arm("a", (PLAIN,)), Tuning(), 0.1, 28), cliff(worse))
    assert rate(choice) == expected
    assert isinstance(choice, Choice)
    assert choice.candidate == choice.tried[0].candidate
    assert not choice.at_edge


def test_where_no_rate_fails_the_best_one_is_taken() -> None:
    def judge(trial: Trial) -> Outcome:
        found = cliff(0.0001)(trial)
        return Outcome(min(found.error, 0.14), found.loss)

    assert rate(carry_out(tune(Arm("a", (PLAIN,)), Tuning(), 0.1, 24), judge)[0]) == 0.32


@pytest.mark.parametrize("trials", [1, 4])
def test_of_a_single_trial_the_lower_rate_must_be_no_worse(trials: int) -> None:
    low, best, high = (PLAIN.replace(learning_rate=rate) for rate in (0.18, 0.32, 0.56))
    errors = {low: 0.1001, best: 0.1, high: math.inf}
    outcomes = {
        Trial(recipe, n): Outcome(error + 0.001 * (-1) ** n * (recipe == low), 1.0, math.isinf(error))
        for recipe, error in errors.items()
        for n in range(trials)
    }
    assert safe_rate(best, errors, outcomes) == (best if trials == 1 else low)
    assert safe_rate(best, [best, high], outcomes) == best
    diverged = outcomes | {Trial(low, n): Outcome(0.1, 1.0, diverged=True) for n in range(trials)}
    assert safe_rate(best, errors, diverged) == best
    assert safe_rate(best, [low, best], outcomes) == best


def test_a_setting_that_diverged_once_is_not_preferred_to_one_that_did_not() -> None:
    def judge(trial: Trial) -> Outcome:
        large = trial.candidate.learning_rate > 0.1  # type: ignore[union-attr]
        return Outcome(0.0 if large else 0.2, 1.0, diverged=large and trial.number == 1)

    choice, _ = carry_out(tune(Arm("a", (PLAIN,)), Tuning(first=2), 0.1, 24), judge)
    assert rate(choice) <= 0.1
    assert isinstance(choice, Choice)
    assert any(setting.diverged for setting in choice.tried)


def test_where_all_diverge_smaller_rates_are_tried() -> None:
    def judge(trial: Trial) -> Outcome:
        return Outcome(0.5, 1.0, diverged=trial.candidate.learning_rate > 0.002)  # type: ignore[union-attr]

    assert rate(carry_out(tune(Arm("a", (PLAIN,)), Tuning(), 0.1, 24), judge)[0]) <= 0.002


def test_given_rates_are_the_only_ones() -> None:
    tuning = Tuning(rates=(0.01, 0.1))
    choice, asked = carry_out(tune(Arm("a", (PLAIN,)), tuning, 0.5, 24), valley(3.0))
    assert {trial.candidate.learning_rate for trial in asked} == {0.01, 0.1}  # type: ignore[union-attr]
    assert rate(choice) == 0.1
    assert isinstance(choice, Choice)
    assert choice.at_edge


@pytest.mark.parametrize("start", [1e-7, 1e3])
def test_a_rate_beyond_the_ladder_starts_at_its_end(start: float) -> None:
    choice, asked = carry_out(tune(Arm("a", (PLAIN,)), Tuning(), start, 24), valley(0.1))
    assert asked
    assert 1e-5 <= rate(choice) <= 10


def test_a_baseline_is_fitted_once_on_each_split() -> None:
    family = tuple(Linear(penalty) for penalty in (0.1, 1.0, 10.0))

    def judge(trial: Trial) -> Outcome:
        return Outcome(trial.candidate.penalty, 0.0)  # type: ignore[union-attr]

    choice, asked = carry_out(tune(Arm("linear", family), Tuning(), 0.1, 50, splits=5), judge)
    assert isinstance(choice, Choice)
    assert choice.candidate == Linear(0.1)
    assert not choice.at_edge
    assert max(trial.number for trial in asked) == 4
    assert len(set(asked)) == len(asked)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 6), st.integers(1, 5), st.integers(1, 60), st.floats(1e-5, 10), st.integers(0, 2**32 - 1)
)
def test_whatever_happens_the_allowance_is_kept(
    candidates: int, first: int, extra: int, start: float, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    arm = Arm("a", tuple(PLAIN.replace(strategies=(L2(0.1 + n),)) for n in range(candidates)))
    tuning = Tuning(first=first)
    most = allowance([arm], tuning) + extra

    def judge(trial: Trial) -> Outcome:
        return Outcome(float(rng.random()), float(rng.random()), diverged=bool(rng.random() < 0.2))

    choice, asked = carry_out(tune(arm, tuning, start, most), judge)
    assert isinstance(choice, Choice)
    assert len(asked) == len(set(asked)) <= most
    assert sum(setting.trainings for setting in choice.tried) == len(asked)
    assert choice.tried[0].candidate == choice.candidate
    most_tried = max(setting.trainings for setting in choice.tried)
    seasoned = [setting for setting in choice.tried if setting.trainings == most_tried]
    assert choice.tried[0] in seasoned or any(
        1 < above.candidate.learning_rate / rate(choice) < 2  # it took this one's place, below a cliff
        or not 0.5 < above.candidate.learning_rate / rate(choice) < 2  # the grid was widened from this one
        for above in seasoned
        if isinstance(above.candidate, Recipe)
    )


def test_it_is_a_function_of_the_outcomes() -> None:
    arms = [Arm("plain", (PLAIN,)), Arm("dropout", DROPOUT)]
    runs = [carry_out(choose(arms, arms[0], Tuning(), 5), valley(0.2, noise=0.05)) for _ in range(2)]
    assert runs[0] == runs[1]


def learning(slow: float) -> Judge:
    """Errors that fall with the epochs, the faster the larger the rate."""

    def judge(trial: Trial) -> Outcome:
        recipe = trial.candidate
        assert isinstance(recipe, Recipe)
        epochs = np.arange(1, recipe.epochs + 1)
        curve = 0.05 + np.exp(-epochs / slow) + 0.1 * math.log10(recipe.learning_rate / 0.1) ** 2
        return Outcome(float(curve[-1]), 0.0, curve=tuple(curve.tolist()))

    return judge


@pytest.mark.parametrize(("slow", "factor", "enough"), [(0.8, 1, True), (3.0, 4, True), (30.0, 4, False)])
def test_all_train_longer_until_the_reference_is_done(slow: float, factor: int, enough: bool) -> None:
    arms = [Arm("plain", (PLAIN,)), Arm("dropout", DROPOUT)]
    (length, choices), asked = carry_out(choose(arms, arms[0], Tuning(longest=4), 5), learning(slow))  # type: ignore[misc]
    assert (length.factor, length.enough) == (factor, enough)
    assert {choice.candidate.epochs for choice in choices.values()} == {8 * factor}
    assert all(trial.candidate.epochs == 8 * factor for trial in asked if trial.candidate.strategies)  # type: ignore[union-attr]


def test_the_length_is_decided_by_all_of_the_reference_s_trainings() -> None:
    """The first four seeds are done early; the others still improve."""

    def judge(trial: Trial) -> Outcome:
        done = np.array([0.5, *[0.2] * 7])
        curve = done if trial.number < 4 else np.linspace(1, 0.2, 8)
        return valley(0.1)(trial)._replace(curve=tuple(curve.tolist()))

    for trainings, factor in ((12, 1), (36, 2)):
        settling = settle_length(Arm("plain", (PLAIN,)), Tuning(first=2, longest=2), trainings)
        (length, choice), _ = carry_out(settling, judge)  # type: ignore[misc]
        assert length.factor == factor
        assert choice.candidate.epochs == factor * PLAIN.epochs


def test_a_length_that_is_given_stays() -> None:
    arm = Arm("plain", (PLAIN.replace(steps=100),))
    (length, _), _ = carry_out(settle_length(arm, Tuning(longest=1), 24), learning(30.0))  # type: ignore[misc]
    assert (length.factor, length.enough) == (1, False)


def test_steps_are_lengthened_where_they_are_given() -> None:
    arm = Arm("plain", (PLAIN.replace(steps=100),))
    _, asked = carry_out(settle_length(arm, Tuning(longest=2), 24), learning(30.0))
    assert {trial.candidate.steps for trial in asked} == {100, 200}  # type: ignore[union-attr]


def test_what_is_no_more_than_noise_is_no_improvement() -> None:
    assert not still_improves([[0.5, 0.4, 0.3, 0.299]])
    assert not still_improves([])
    assert not still_improves([[0.5, 0.4, 0.3, 0.1], [0.5, 0.4]])  # one stopped early
    assert still_improves([[0.5, 0.4, 0.3, 0.1], [0.5, 0.4, 0.3, 0.3]])


def test_procedures_side_by_side_share_their_trials() -> None:
    def asks(candidate: Candidate, rounds: int) -> Procedure[int]:
        known: Outcomes = {}
        for number in range(rounds):
            known = yield [Trial(candidate, number)]
        return len(known)

    procedure = side_by_side({"a": asks(PLAIN, 1), "b": asks(PLAIN, 2)})
    results, asked = carry_out(procedure, lambda trial: Outcome(0, 0))
    assert asked == [Trial(PLAIN, 0), Trial(PLAIN, 1)]
    assert results == {"a": 1, "b": 2}


def test_numbers_that_make_no_tuning_are_refused() -> None:
    for wrong in ({"trainings": 0}, {"first": 0}, {"longest": 0}, {"rates": (0.2, 0.1)}, {"rates": (0.0,)}):
        with pytest.raises(SettingError, match="tuning: "):
            Tuning(**wrong)  # type: ignore[arg-type]

"""Early stopping against Algorithms 7.1 to 7.3 of Goodfellow, Bengio & Courville, transcribed by hand."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from small import digits, recipe
from trainwright.data.dataset import Splits
from trainwright.strategies import EarlyStopping
from trainwright.training.fit import fit

DATA = digits()
SETTINGS = {"learning_rate": 2.0, "steps": 60, "evaluate_every": 3}


def algorithm_7_1(errors, n, p):
    """theta* (by its step), i*, and how many steps were made; `errors` are the validation errors in turn."""
    theta, i, j, v = 0, 0, 0, math.inf
    theta_star, i_star = theta, i
    coming = iter(errors)
    while j < p:
        try:
            v_new = next(coming)
        except StopIteration:
            break  # the length of the recipe, which the algorithm does not know
        theta, i = theta + n, i + n
        if v_new < v:
            j = 0
            theta_star, i_star, v = theta, i, v_new
        else:
            j += 1
    return theta_star, i_star, i


# Few different values, so that ties are common.
@settings(deadline=None)
@given(st.lists(st.sampled_from([0.1, 0.2, 0.3, 0.4, 0.5]), min_size=1, max_size=30), st.integers(1, 5))
def test_it_is_algorithm_7_1(errors, patience):
    stopping, n = EarlyStopping(patience=patience), 7
    _, i_star, ended = algorithm_7_1(errors, n, patience)
    history = {"step": [], "validation_loss": []}
    for number, error in enumerate(errors, start=1):
        history["step"].append(n * number)
        history["validation_loss"].append(error)
        decision = stopping.stop(history)
        if decision.stop:
            break
    assert (decision.best_step, history["step"][-1]) == (i_star, ended)


def test_it_watches_what_it_is_told():
    history = {"step": [1, 2], "validation_loss": [1.0, 2.0], "validation_error": [0.5, 0.4]}
    assert EarlyStopping(monitor="error").stop(history).best_step == 2
    assert EarlyStopping(monitor="loss").stop(history).best_step == 1


def log_loss(run, rows):
    """The mean log-loss of a run's weights on these examples, by NumPy alone."""
    w = run.weights
    hidden = np.maximum(DATA.inputs.reshape(60, -1)[rows] @ w["hidden1/kernel"] + w["hidden1/bias"], 0)
    z = hidden @ w["output/kernel"] + w["output/bias"]
    z -= z.max(axis=1, keepdims=True)
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -log_p[np.arange(len(rows)), DATA.targets[rows]].mean()


def test_the_best_weights_are_returned_whatever_ended_the_training():
    impatient = fit(recipe(EarlyStopping(patience=3), **SETTINGS), DATA)
    assert impatient.steps < 60, "patience ended it"
    shortened = {**SETTINGS, "steps": impatient.steps}
    patient = fit(recipe(EarlyStopping(patience=100), **shortened), DATA)
    for run, patience in ((impatient, 3), (patient, 100)):
        losses = list(run.history["validation_loss"])
        _, i_star, ended = algorithm_7_1(losses, 3, patience)
        assert (run.best_step, run.steps) == (i_star, ended)
        assert run.best_step < run.steps
        assert log_loss(run, DATA.splits.validation) == pytest.approx(min(losses), rel=1e-4)


def test_algorithm_7_2_trains_anew_on_all_data_for_the_best_number_of_steps():
    run = fit(recipe(EarlyStopping(patience=3, retrain="anew"), **SETTINGS), DATA)
    splits = DATA.splits
    all_rows = np.concatenate([splits.train, splits.validation])
    everything = replace(DATA, splits=Splits(all_rows, splits.validation, splits.test))
    scratch = fit(recipe(**SETTINGS).replace(steps=run.best_step), everything)
    assert run.steps == run.history["step"][-1] + run.best_step
    assert run.weights.keys() == scratch.weights.keys()
    for path, array in scratch.weights.items():
        np.testing.assert_array_equal(run.weights[path], array, path)


def test_algorithm_7_3_goes_on_until_validation_is_as_good_as_training_was():
    seen = []
    settings = {**SETTINGS, "learning_rate": 1.0, "steps": 300}
    first = fit(recipe(EarlyStopping(patience=3), **settings), DATA)
    target = log_loss(first, DATA.splits.train)
    run = fit(
        recipe(EarlyStopping(patience=3, retrain="onward"), **settings),
        DATA,
        watch=lambda progress: seen.append((progress.phase.counts, progress.step)),
    )
    onward = [step for counts, step in seen if not counts][1:]
    assert run.best_step == first.best_step
    assert onward[0] == first.best_step + 3, "it goes on from theta*"
    assert onward[-1] < 300, "it ended by its loss, not by its length"
    assert log_loss(run, DATA.splits.validation) <= target


def test_algorithm_7_3_stops_at_the_recipe_s_length():
    """Where the last evaluation was the best there is no step left to go on with."""
    settings = {**SETTINGS, "learning_rate": 0.01, "steps": 30}
    run = fit(recipe(EarlyStopping(patience=3, retrain="onward"), **settings), DATA)
    assert run.best_step == run.steps == 30

"""Regularization: what each penalty does to the weights, on a smaller study; claims on made-up numbers."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

import comparisons
from trainwright.comparison.compare import Comparison, compare
from trainwright.exhibit import means, scores
from trainwright.exhibits import regularization
from trainwright.exhibits.regularization import STRENGTHS, Weights
from trainwright.studies.study import Study


class Trained(NamedTuple):
    """A small study and what it gave."""

    study: Study
    rows: pd.DataFrame
    weights: Weights
    zeros: pd.DataFrame
    everything: Comparison


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Trained:
    store = tmp_path_factory.mktemp("store")
    study = regularization.study(regularization.SCALES["quick"].replace(steps=800, seeds=2))
    runs = study.run(store)
    rows = scores(runs)
    arms = ["none", *(regularization.strongest(rows, penalty) for penalty in STRENGTHS)]
    weights = {arm: regularization.first_weights(study, arm, store) for arm in arms}
    zeros = regularization.count_zeros(study, weights, store)
    return Trained(study, rows, weights, zeros, compare(runs, reference="none"))


def test_the_book_s_statement_that_needs_few_seeds(trained: Trained) -> None:
    claim = regularization.sparse(trained.zeros, trained.weights)
    assert claim.holds, claim.seen


def test_each_seed_draws_its_own_examples(trained: Trained) -> None:
    one, other = (trained.study.dataset(seed) for seed in (0, 1))
    assert not np.array_equal(one.splits.train, other.splits.train)
    np.testing.assert_array_equal(one.splits.test, other.splits.test)


def test_a_penalty_helps_if_its_verdict_says_so() -> None:
    arms = comparisons.study(["none", "L1 0.001", "L2 0.01", "max-norm 2"], shifts=(0, -0.01, 0.0, 0.01))
    claims = [regularization.lowers(arms, arm.name) for arm in arms.arms[1:]]
    assert [claim.holds for claim in claims] == [True, False, False]


def made(**changes: dict[str, float]) -> pd.DataFrame:
    """Four seeds: without penalty a training loss of 0.1 and a test loss of 0.4.

    Along each penalty the training loss grows by 0.001 a step and the test loss is 0.3 at the third strength,
    which is best in validation, and 0.35 elsewhere. `changes`: by column, the means of some arms instead.
    """
    rows = []
    for penalty, strengths in {"none": (float("nan"),), **STRENGTHS}.items():
        for place, strength in enumerate(strengths, 1):
            arm = "none" if penalty == "none" else f"{penalty} {strength:g}"
            test = 0.4 if arm == "none" else 0.3 if place == 3 else 0.35
            training = 0.1 if arm == "none" else 0.1 + 0.001 * place
            losses = {"training": training, "validation": test, "test": test}
            losses |= {split: means[arm] for split, means in changes.items() if arm in means}
            # No difference is quite constant.
            own = 1e-4 * (1 if arm in changes.get("training", {}) else place)
            for seed, jitter in enumerate((0.0, 0.02, 0.01, 0.03)):
                moved = jitter + own * (-1) ** seed
                shown = {f"{split} loss": mean + moved for split, mean in losses.items()}
                shown["test loss"] += own * (seed == 2)
                rows.append({"arm": arm, "seed": seed, "validation error": 0.1} | shown)
    return pd.DataFrame(rows)


BEST = {penalty: f"{penalty} {strengths[2]:g}" for penalty, strengths in STRENGTHS.items()}


def test_the_best_is_found_on_validation() -> None:
    assert regularization.best(made()) == list(BEST.values())
    assert regularization.best(made(test={"L1 1e-06": 0.1})) == list(BEST.values())
    assert regularization.best(made(validation={"L1 1e-06": 0.1}))[0] == "L1 1e-06"


def test_loss_on_new_examples_must_fall_for_every_penalty() -> None:
    assert regularization.tames(made()).holds
    assert not regularization.tames(made(test={BEST["L2"]: 0.4})).holds
    assert not regularization.tames(made(test=dict.fromkeys(BEST.values(), 0.45))).holds


def test_the_gap_must_close_and_the_fit_be_paid_for() -> None:
    assert regularization.trades(made()).holds
    assert not regularization.trades(made(test={BEST["L1"]: 0.45})).holds  # the gap has grown
    assert not regularization.trades(made(training={BEST["L2"]: 0.09})).holds  # it fits better than before
    # By intervals, not by means: here the training loss is higher by less than the seeds scatter.
    noisy = made()
    noisy.loc[noisy.arm == BEST["L2"], "training loss"] += np.array([0.05, -0.05, 0.05, -0.05])
    assert regularization.trades(noisy).holds is None


def test_too_strong_a_penalty_must_cost_fit_and_loss() -> None:
    """Best are L1 1e-4, L2 3e-3 and max-norm 1.5: 1e-3, 3e-2 and 1 (the nearest to 0.75) are too strong."""
    assert regularization.underfits(made()).holds
    assert "L1 0.001" in regularization.underfits(made()).seen
    for arm in ("L1 0.001", "L2 0.03", "max-norm 1"):
        assert not regularization.underfits(made(test={arm: 0.3}, validation={arm: 0.35})).holds
        assert not regularization.underfits(made(training={arm: 0.05})).holds


def test_l2_that_leaves_the_weights_large_is_not_what_is_said(trained: Trained) -> None:
    l2 = next(name for name in trained.weights if name.startswith("L2"))
    large = trained.weights | {l2: 2 * trained.weights["none"]}
    assert not regularization.sparse(trained.zeros, large).holds
    dense = trained.zeros.assign(L1=trained.zeros["none"])
    assert not regularization.sparse(dense, trained.weights).holds


def test_the_scores_are_the_comparison_s(trained: Trained) -> None:
    errors = means(trained.rows)["test error"]
    for arm in trained.everything.arms:
        assert errors[arm.name] == pytest.approx(100 * arm.error.mean)


def test_the_strongest_costs_at_most_a_tenth(trained: Trained) -> None:
    rows = made()
    rows.loc[rows.arm.isin(["L1 0.01", "L1 0.03"]), "validation error"] = 0.12
    assert regularization.strongest(rows, "L1") == "L1 0.003"
    rows.loc[rows.arm.str.startswith("L1"), "validation error"] = 0.12
    assert regularization.strongest(rows, "L1") == "L1 1e-06"


def test_zeros_are_counted_within_one_step_of_l1(trained: Trained) -> None:
    strength, bound, l1, _, _ = trained.zeros.iloc[5]
    assert bound == pytest.approx(0.1 * strength)
    assert 0 < l1 < 1
    chosen = next(name for name in trained.weights if name.startswith("L1"))
    row = trained.zeros.iloc[STRENGTHS["L1"].index(float(chosen.split()[1]))]
    assert row["L1"] == pytest.approx(np.mean(np.abs(trained.weights[chosen]) <= row["ε λ"]))


def test_the_picture_has_its_panels(trained: Trained) -> None:
    figure = regularization.draw(trained.rows, trained.weights, trained.everything)
    titles = [axes.get_title() for axes in figure.axes]
    assert len(titles) == 4
    assert all(titles)

"""Made-up comparisons for the report's tests: numbers drawn at random, shaped like a study's."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any, Literal

import numpy as np
from scipy import stats

from trainwright.comparison.caution import Caution
from trainwright.comparison.path import Interaction, Path, Step
from trainwright.comparison.recommendation import Recommendation, Tried
from trainwright.comparison.results import (
    ArmResult,
    CandidateResult,
    Comparison,
    Curve,
    Difference,
    Interval,
    Verdict,
)
from trainwright.comparison.sweep import Sweep

RATES = (0.03, 0.1, 0.3)
STRATEGIES: dict[str, list[dict[str, Any]]] = {
    "plain": [],
    "dropout(input_rate=0.2, hidden_rate=0.5), max_norm(3.5)": [
        {"name": "dropout", "input_rate": 0.2, "hidden_rate": 0.5},
        {"name": "max_norm", "limit": 3.5},
    ],
    "batch_norm": [{"name": "batch_norm", "statistics": "population"}],
    "momentum(0.9)": [{"name": "momentum", "momentum": 0.9}],
    "adam": [{"name": "adam"}],
    "l2(0.0001)": [{"name": "l2", "coefficient": 0.0001}],
    "label_smoothing(0.1)": [{"name": "label_smoothing", "amount": 0.1}],
    "shift(1)": [{"name": "shift", "pixels": 1}],
    "early_stopping": [{"name": "early_stopping", "every": 50, "patience": 5}],
}


def interval(values: np.ndarray[Any, np.dtype[np.float64]]) -> Interval:
    """The mean with its 95 % t interval; without bounds for a single value."""
    mean = float(values.mean())
    if len(values) < 2:
        return Interval(mean, -math.inf, math.inf)
    half = float(stats.t.ppf(0.975, len(values) - 1) * values.std(ddof=1) / math.sqrt(len(values)))
    return Interval(mean, mean - half, mean + half)


def verdict(found: Interval, delta: float) -> Verdict:
    if found.high < 0:
        return "helps"
    if found.low > 0:
        return "hurts"
    return "no difference" if -delta < found.low and found.high < delta else "inconclusive"


def arm(
    name: str,
    errors: np.ndarray[Any, np.dtype[np.float64]],
    reference: np.ndarray[Any, np.dtype[np.float64]] | None,
    *,
    delta: float,
    diverged: int = 0,
    seed: int = 0,
) -> ArmResult:
    draw = np.random.default_rng(seed)
    n = len(errors)
    difference = None
    if reference is not None:
        found = interval(errors - reference)
        says = verdict(found, delta)
        p = 0.0004 if says in ("helps", "hurts") else 0.21 if n > 1 else math.nan
        open_ = says == "inconclusive"
        difference = Difference(
            interval=found,
            p=p,
            p_holm=min(1, 3 * p),
            p_equivalence=0.01 if says == "no difference" else 0.6,
            verdict=says,
            leans=("better" if found.mean < 0 else "worse") if open_ else None,
            more_seeds=14 if open_ and n > 1 else None,
            from_trainings=0.6 if n > 1 else math.nan,
            over_examples=None if n > 1 else Interval(found.mean, found.mean - 0.004, found.mean + 0.004),
        )
    steps = tuple(range(50, 1001, 50))
    mean = errors.mean() * (1 + 12 * np.exp(-np.arange(1, 21) / 2.5))
    half = 0.12 * mean
    curve = Curve(steps, tuple(mean), tuple(mean - half), tuple(mean + half))
    return ArmResult(
        name=name,
        recipe={
            "name": "recipe",
            "network": {"name": "mlp", "hidden": [64, 64], "activation": {"name": "relu"}},
            "strategies": STRATEGIES.get(name, []),
            "learning_rate": 0.1,
            "batch_size": 32,
            "epochs": 30,
            "steps": None,
        },
        learning_rate=RATES[seed % 3],
        at_edge=seed % 3 != 1,
        grid=tuple(  # the chosen one first
            CandidateResult(rate, float(errors.mean() * (1 + 0.2 * i)), diverged)
            for i, rate in enumerate([RATES[seed % 3], *(one for one in RATES if one != RATES[seed % 3])])
        ),
        validation=float(errors.mean()),
        seeds=tuple(range(n)),
        errors=tuple(errors),
        error=interval(errors),
        loss=None,
        diverged=diverged,
        difference=difference,
        over_guessing=Interval(-0.9 * errors.mean(), -errors.mean(), -0.8 * errors.mean()),
        best_steps=tuple(int(step) for step in draw.choice(steps[8:], n)),
        parameters=8970,
        seconds=0.42 + 0.07 * seed,
        milliseconds_per_step=0.074 + 0.01 * seed,
        memory_bytes=312_000_000 + 9_000_000 * seed,
        curves={}
        if diverged == n
        else {"validation_error": curve, "train_loss": curve, "validation_loss": curve},
    )


def study(
    names: list[str],
    seeds: int = 20,
    *,
    task: Literal["classification", "regression"] = "classification",
    base: float = 0.031,
    shifts: tuple[float, ...] = (0, -0.008, -0.006, -0.0004, 0.003, -0.0001, 0.0001, 0.009, -0.001),
    **facts: Any,
) -> Comparison:
    """A study of these arms; the first is the reference; `shifts` are the true effects."""
    draw = np.random.default_rng(7)
    common = base * (1 + 0.06 * draw.standard_normal(seeds))
    delta = base / 10
    noise = base * 0.04
    reference = common + noise * draw.standard_normal(seeds)
    arms = [arm(names[0], reference, None, delta=delta)]
    for index, name in enumerate(names[1:], 1):
        spread = noise * (3 if index == 8 else 0.6)
        errors = common + shifts[index] + spread * draw.standard_normal(seeds)
        arms.append(arm(name, errors, reference, delta=delta, seed=index))
    data = {
        "name": "digits",
        "fingerprint": "3f9a0c62be11d7",
        "task": task,
        "classes": list("0123456789"),
        "shape": [8, 8],
        "examples": {"train": 1077, "validation": 360, "test": 360},
        "class_counts": {str(n): {"train": 107 + n, "validation": 36, "test": 36} for n in range(10)},
        "seed": None,
        **facts,
    }
    return Comparison(
        data=data,
        task=task,
        metric="test error" if task == "classification" else "test RMSE",
        unit="fraction" if task == "classification" else "target",
        metric_reason=None,
        level=0.95,
        delta=delta,
        reference=names[0],
        arms=tuple(arms),
        baselines=(),
        design="folds",
        examples=1797,
        groups=1797,
        looks=(),
        environment={
            "trainwright": "0.1.0",
            "versions": {"python": "3.11.2", "jax": "0.10.2", "flax": "0.12.8"},
            "device": "cpu",
            "NPROC": 1,
            "cores": 2,
        },
        command='trainwright study digits --seeds 20 --arm "dropout(hidden_rate=0.5)" --arm batch_norm',
        cautions=(Caution("edge of the grid", {"rates": {"adam": 0.03}}),),
    )


def sweep(name: str, *gains: float, scatter: float = 0.001) -> Sweep:
    """An arm's gains in points over "plain" at 100, 1,000 and 10,000 examples, in ten seeds."""
    noise = scatter * np.random.default_rng(0).standard_normal((3, 2, 10))
    found = {}
    for size, gain, (own, other) in zip((100, 1000, 10_000), gains, noise, strict=True):
        plain = 0.2 + own
        arms = (
            arm("plain", plain, None, delta=0.01),
            arm(name, plain - gain / 100 + other, plain, delta=0.01),
        )
        found[size] = replace(study(["plain"]), arms=arms)
    return Sweep(found)


def nine_arms() -> Comparison:
    """Nine arms, twenty seeds: the demonstration's shape."""
    return study(list(STRATEGIES))


def one_seed() -> Comparison:
    """Two arms, one seed: no interval anywhere."""
    return study(["plain", "dropout"], seeds=1)


def regression() -> Comparison:
    """Errors in the target's unit, with what was done to each column."""
    columns = [
        {
            "column": "income",
            "kind": "number",
            "treatment": "standardised; 3 missing values imputed, with indicator",
        },
        {"column": "region", "kind": "category", "treatment": "one-hot, 5 categories"},
        {
            "column": "notes",
            "kind": "text",
            "treatment": "left out: free text; replace it by categories or numbers",
        },
    ]
    shifts = (0, -1500.0, 20.0, 900.0)
    return study(
        ["plain", "dropout(0.5)", "l2(0.01)", "batch_norm"],
        seeds=8, task="regression", base=23456.7, shifts=shifts, name="houses.csv", columns=columns,
    )  # fmt: skip


def diverged() -> Comparison:
    """An arm whose trainings all diverged, far off the others."""
    made = nine_arms()
    wrecked = arm(
        "momentum(0.99)",
        np.full(20, 0.9),
        np.array(made.arms[0].errors),
        delta=made.delta,
        diverged=20,
        seed=4,
    )
    guesses = {"momentum(0.99)": {"guessed": 20, "seeds": 20, "worst": 0.9}}
    caution = Caution("diverged", {"arms": guesses, "metric": made.metric})
    return replace(made, arms=(*made.arms[:4], wrecked), cautions=(caution,))


def hostile() -> Comparison:
    """Names that would break out of HTML, SVG, Markdown or terminal markup."""
    script = "<script>alert('x')</script>"
    return study(
        [
            "plain",
            f'{script} & "q" $x^2$',
            "[red]a|b[/red] `c` *d* \x1b[31m\x00",
            "层 dropout <img src=http://x.y/z>",
        ],
        seeds=5,
        shifts=(0, -0.01, 0.01, 0.0),
        name=f"{script}.csv",
        classes=[script, "b"],
        columns=[f"{script}: standardised", "b: one-hot"],
    )


def recommendation(*, gain: float = 0.008, name: str = "digits") -> Recommendation:
    """A search that found two strategies, one of which helps only beside the other."""
    comparison = study(["plain", "batch_norm", "best"], shifts=(0, -gain / 2, -gain), name=name)
    against = replace(
        comparison,
        reference="best",
        arms=tuple(replace(one, difference=None) if one.name == "best" else one for one in comparison.arms),
    )
    error = Interval(0.025, 0.02, 0.03)
    cost = Interval(0.004, 0.002, 0.006)
    nothing = Interval(0.0001, -0.0004, 0.0006)
    recipe = comparison.arms[0].recipe
    return Recommendation(
        comparison=comparison,
        against=against,
        best="best",
        single="batch_norm",
        strategies="batch_norm, dropout(hidden_rate=0.2)",
        path=Path(
            error,
            (
                Step("max_norm", recipe, error, nothing, 0.8, "no difference"),
                Step("dropout", recipe, error, cost, 0.001, "hurts"),
            ),
            (Interaction(("dropout", "batch_norm"), cost, nothing, cost, 0.01, shown=True),),
            complete=True,
            seeds=5,
        ),
        seen=0.021,
        seen_plain=0.03,
        tried=(Tried("batch_norm", "mlp, rate 0.1, batches of 32, 40 epochs", 0.021, 10),),
        recipes=57,
        trainings=412,
        seconds=93.0,
        ensemble=error,
        fit="trainwright fit digits --with batch_norm --out model",
        python="from trainwright import Recipe\n\nrecipe = Recipe()",
        cautions=(Caution("search cut short"),),
    )

"""Do the intervals cover when every arm has been tuned first, on the same rows? Whole studies, one per table.

    nice python benchmarks/tuned.py ~/tuned results --tables 12

draws tables from the populations of `populations.py`, runs a study with its tuning stage on each (the
choice pools over the folds, as `trainwright study` does it; every table has seeds of its own), and writes
`results/tuned.json` and `results/tuned.md`. What is true of an arm is measured on rows that no table has: of
the candidates that were chosen on that table, by the very trainings that the study judged; and of the arm as
such, the mean over all tables of its population and size (of `again`: zero). Had choosing on the rows that
are judged made arms look better than they are, estimates would lie below the former.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from math import sqrt
from pathlib import Path
from textwrap import fill
from typing import Any

import numpy as np
from numpy.typing import NDArray
from other_keys import OtherKeys
from populations import NETWORK, POPULATIONS, SIZES, Population, Rows
from shares import share

from trainwright.base import files
from trainwright.base.environment import environment
from trainwright.comparison.compare import compare
from trainwright.data import DataSpec
from trainwright.data.dataset import Dataset
from trainwright.data.splits import fold
from trainwright.recipe import Recipe
from trainwright.report.sentences import counted
from trainwright.runs.store import Store
from trainwright.strategies import L2, Dropout, Momentum
from trainwright.studies.study import Study
from trainwright.studies.tuning import Tuning

SEEDS = 10
PLAIN = Recipe(NETWORK, learning_rate=0.1, batch_size=32, epochs=20)
ARMS = {
    "plain": (PLAIN,),
    "again": (PLAIN.adding(OtherKeys()),),  # it does nothing: whatever is found of it is false
    "momentum": tuple(PLAIN.adding(Momentum(coefficient)) for coefficient in (0.5, 0.9)),
    "dropout": tuple(PLAIN.adding(Dropout(hidden_rate=rate)) for rate in (0.1, 0.2, 0.5)),
    "l2": tuple(PLAIN.adding(L2(coefficient)) for coefficient in (1e-4, 1e-3, 1e-2)),
}


@dataclass(frozen=True)
class Judged:
    """One arm of one table's study: what was said of it, and what is true."""

    population: str
    size: int
    table: int
    arm: str
    low: float
    high: float
    verdict: str
    truth: float
    """What the arm's trainings on this table reach beyond plain's, on rows that no table has."""
    chosen: str

    @property
    def bias(self) -> float:
        """The estimate less the truth, in half-widths of the interval; 0 where nothing differs."""
        half = (self.high - self.low) / 2
        return ((self.high + self.low) / 2 - self.truth) / half if half else 0.0

    @property
    def found(self) -> bool:
        return self.verdict in ("helps", "hurts")


def dataset(population: Population, rows: Rows) -> Dataset:
    """A table as a data set of prepared arrays."""
    classification = population.task == "classification"
    classes = tuple(map(str, np.unique(population.truth.targets))) if classification else ()
    strata = rows.targets if classification else np.zeros(len(rows.targets), np.int32)
    splits = fold(strata, None, 0)
    return Dataset("table", population.task, rows.inputs, rows.targets, splits, classes)  # type: ignore[arg-type]


def outputs(weights: dict[str, NDArray[Any]], x: NDArray[np.float32]) -> NDArray[np.float32]:
    """The network's outputs (examples, outputs) for new inputs, in NumPy: ReLU layers, then linear ones."""
    for layer in ("hidden1", "hidden2"):
        x = np.maximum(x @ weights[f"{layer}/kernel"] + weights[f"{layer}/bias"], 0)
    return x @ weights["output/kernel"] + weights["output/bias"]


def true_metric(population: Population, stored: list[Any], data: list[Dataset]) -> float:
    """The mean over an arm's trainings of their error, or RMSE, on rows that no table has."""
    metrics = []
    for run, fold_ in zip(stored, data, strict=True):
        predicted = outputs(run.weights, population.truth.inputs)
        if population.task == "classification":
            metrics.append(np.mean(predicted.argmax(1) != population.truth.targets))
        else:
            shift, scale = fold_.standardization.target_shift, fold_.standardization.target_scale
            values = predicted[:, 0] if scale is None else predicted[:, 0] / scale + shift
            metrics.append(np.sqrt(np.mean((values - population.truth.targets) ** 2)))
    return float(np.mean(metrics))


def study_table(name: str, population: Population, size: int, table: int, folder: Path) -> list[Judged]:
    """A study of one table, judged."""
    rows = population.draw(np.random.default_rng([table, size, 1]), size)
    study = Study(
        DataSpec("table"), ARMS, SEEDS, first_seed=SEEDS * table, tuning=Tuning(longest=1),
        loaded=dataset(population, rows),
    )  # fmt: skip
    metric = "error" if population.task == "classification" else "rmse"
    runs = study.execute(folder)
    assert runs.tuned
    comparison = compare(runs.arms, reference="plain", metric=metric)
    store = Store(folder)
    folds = [study.dataset(seed) for seed in study.verdict_seeds]
    truths = {}
    for arm, choice in runs.tuned.choices.items():
        stored = [store.read(one.digest, weights=True) for one in study._verdict({arm: choice.candidate})]
        truths[arm] = true_metric(population, stored, folds)
    return [
        Judged(
            name, size, table, arm.name, arm.difference.interval.low, arm.difference.interval.high,
            arm.difference.verdict, truths[arm.name] - truths["plain"],
            str(runs.tuned.choices[arm.name].candidate),
        )
        for arm in comparison.arms
        if arm.difference
    ]  # fmt: skip


def mean(values: list[float]) -> str:
    margin = 1.96 * np.std(values) / sqrt(len(values))
    return f"{np.mean(values):+.2f} ± {margin:.2f}"


def page(judged: list[Judged], command: str) -> Iterator[str]:
    tables = len({(one.population, one.size, one.table) for one in judged})
    yield "# How often the intervals cover, with tuning switched on"
    about = f"""{tables} studies, each of a table of its own (populations and sizes as in
        [coverage.md](coverage.md)): five arms tuned alike on the rows that the verdict then judges,
        {SEEDS} fresh seeds in five folds × 2. *Again* is plain with other first weights, tuned apart:
        whatever is found of it is false. *Covers, chosen*: the interval holds what the study's own
        trainings of the chosen candidates reach on 4,000 rows that no table has, so only the rows
        judged are chance there and more than 95 % are to be expected. *Bias*: the estimate less that
        truth, in half-widths of the interval; negative if choosing on the rows that are judged made
        arms look better than they are. *Covers, arm*: the interval holds the mean of that truth over
        all tables (of *again*: zero); from table to table tuning chooses other candidates, which no
        interval of one study can know of. *Found*: helps or hurts after Holm's correction over the
        four arms; *wrong*: with the wrong sign. In brackets the 95 % interval of a share (Wilson), after ±
        that of a mean, if intervals were independent."""
    yield fill(" ".join(about.split()), 110, break_on_hyphens=False)
    on = environment()
    yield f"```sh\n{command}\n```"
    yield f"{datetime.now(UTC):%Y-%m-%d}, jax {on['jax']}, {on['device']}, {counted(on['cores'], 'core')}."
    known = [one for one in judged if np.isfinite(one.truth)]
    if len(known) < len(judged):
        gone = len(judged) - len(known)
        yield f"Left out: {gone} of {len(judged)} intervals, of arms with a run that diverged."
    judged = known
    true: dict[tuple[str, int, str], float] = {}
    for key in {(one.population, one.size, one.arm) for one in judged}:
        own = [one.truth for one in judged if (one.population, one.size, one.arm) == key]
        true[key] = 0.0 if key[2] == "again" else float(np.mean(own))
    lines = [
        "| population | rows | studies | covers, chosen | bias | covers, arm | again: found | others: found "
        "| wrong |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    kinds = sorted({(one.population, one.size) for one in judged})
    rows = [
        (f"{name} | {size:,}", [one for one in judged if (one.population, one.size) == (name, size)])
        for name, size in kinds
    ]
    for title, own in [*rows, ("**all** | ", judged)]:
        truth = [true[one.population, one.size, one.arm] for one in own]
        of_arm = [one.low <= value <= one.high for one, value in zip(own, truth, strict=True)]
        of_chosen = [one.low <= one.truth <= one.high for one in own]
        again = [one.found for one in own if one.arm == "again"]
        others = [(one, value) for one, value in zip(own, truth, strict=True) if one.arm != "again"]
        wrong = [one.found and (value < 0) != (one.verdict == "helps") for one, value in others]
        lines.append(
            f"| {title} | {len(again)} | {share(of_chosen)} | {mean([one.bias for one in own])} "
            f"| {share(of_arm)} | {share(again)} | {share([one.found for one, _ in others])} "
            f"| {share(wrong)} |"
        )
    yield "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("store", type=Path, help="a folder for the runs, outside the checkout")
    parser.add_argument("out", type=Path, help="the folder for tuned.md and tuned.json")
    parser.add_argument("--tables", type=int, default=12, help="of each population and size")
    given = parser.parse_args()
    record = given.out / "tuned.json"
    judged = [Judged(**one) for one in json.loads(record.read_text())["judged"]] if record.exists() else []
    done = {(one.population, one.size, one.table) for one in judged}
    populations = {name: make() for name, make in POPULATIONS.items()}
    command = f"python benchmarks/tuned.py STORE results --tables {given.tables}"
    for table in range(given.tables):
        for name, population in populations.items():
            for size in SIZES:
                if (name, size, table) in done:
                    continue
                folder = given.store / f"{name}-{size}-{table}"
                judged += study_table(name, population, size, table, folder)
                content = {"environment": environment(), "judged": [asdict(one) for one in judged]}
                files.replace_file(record, (json.dumps(content, indent=0) + "\n").encode(), given.out)
                print(f"{name}-{size}-{table}", flush=True)
    (given.out / "tuned.md").write_text("\n\n".join(page(judged, command)) + "\n", "utf-8")


if __name__ == "__main__":
    main()

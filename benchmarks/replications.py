"""Do studies that differ only in their first seed agree? The default study of digits, again and again.

    python benchmarks/replications.py ~/replications results --studies 12

runs the study of all default arms with its tuning, each time on other seeds, and writes
`results/replications.md`: how often each arm was found to help, to hurt, to make no difference, or neither.
No arm should help in one study and hurt in another. What a store has is not trained again.
"""

from __future__ import annotations

import argparse
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

from trainwright.base import files
from trainwright.base.environment import environment, keep_compiled
from trainwright.comparison.results import Comparison
from trainwright.data import DataSpec
from trainwright.report.sentences import counted
from trainwright.studies import defaults
from trainwright.studies.arms import read_arms
from trainwright.studies.study import Study

BETWEEN = 1000
"""From one study's first seed to the next one's: more than any study has."""

VERDICTS = ("helps", "no difference", "inconclusive", "hurts", "changed nothing")


def study(source: str, number: int, seeds: int) -> Study:
    spec = DataSpec(source)
    data = spec.load()
    recipe = defaults.recipe(data, "quick")
    return Study(
        spec,
        read_arms(recipe, defaults.arms(data, recipe)),
        seeds=seeds,
        first_seed=BETWEEN * number,
        tuning=defaults.tuning(data, "quick"),
        loaded=data,
    )


def page(compared: list[Comparison], command: str) -> str:
    """Each arm's verdicts over the studies, as Markdown."""
    first = compared[0]
    lines = [f"| arm | {' | '.join(VERDICTS)} | difference, smallest to largest | agree |"]
    lines.append(f"|{' --- |' * (len(VERDICTS) + 3)}")
    for arm in first.arms:
        if arm.difference is None:
            continue
        found = [one.arm(arm.name).difference for one in compared]
        differences = [difference for difference in found if difference is not None]
        count = Counter(difference.verdict for difference in differences)
        means = [100 * difference.interval.mean for difference in differences]
        agree = "**no**" if count["helps"] and count["hurts"] else "yes"
        counts = " | ".join(str(count[verdict]) for verdict in VERDICTS)
        lines.append(f"| `{arm.name}` | {counts} | {min(means):+.2f} to {max(means):+.2f} | {agree} |")
    on = environment()
    return "\n".join(
        [
            f"# {len(compared)} studies that differ only in their seeds",
            "",
            f"`{command}`, {datetime.now(UTC):%Y-%m-%d}. All default arms on {first.data['name']}, each "
            f"tuned anew, {len(first.arms[0].seeds)} fresh seeds an arm; differences to plain in percentage "
            f"points. {counted(on['cores'], 'core')}, {on['device']}, jax {on['jax']}.",
            "",
            *lines,
            "",
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("store", type=Path, help="the folder for the runs, outside the checkout")
    parser.add_argument("out", type=Path, help="the folder for replications.md")
    parser.add_argument("--studies", type=int, default=12)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--data", default="digits")
    given = parser.parse_args()
    keep_compiled()
    compared = []
    for number in range(given.studies):
        compared.append(study(given.data, number, given.seeds).compare(given.store))
        print(f"{number + 1} of {given.studies} studies done", flush=True)
    command = f"python benchmarks/replications.py STORE results --studies {given.studies}"
    files.replace_file(given.out / "replications.md", page(compared, command).encode(), given.out)


if __name__ == "__main__":
    main()

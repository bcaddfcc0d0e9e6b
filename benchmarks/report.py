"""The benchmark's results as a page."""

from __future__ import annotations

from typing import Any


def markdown(result: dict[str, Any]) -> str:
    """What was measured, on what, and whether the goals are reached."""
    machine = result["machine"]
    lines = [
        "# Benchmark",
        "",
        f"{result['date']}, `{result['command']}`: {machine['processor']}, {machine['cores']} cores, "
        f"{machine['platform']}, Python {result['python']}. Medians of n = {result['rounds']} interleaved "
        f"turns less the disturbed ones; load at the start {result['load_at_start']:.1f}. "
        "Only ratios within this run mean anything.",
        "",
        "A turn is whole epochs on resident data: a shuffle, all steps with their loss, and an evaluation "
        "(loss and error) on the validation examples. Trainwright's turns also build the network and make "
        "its run, predictions on validation and test included. Nobody's turn includes compiling.",
        "",
        "| goal | measured | | |",
        "|---|---|---|---|",
    ]
    for goal in (goal for job in result["jobs"] for goal in job["goals"]):
        verdict = "reached" if goal["reached"] else "**not reached**"
        lines.append(f"| {goal['what']} | {goal['ratio']:.2f} | {goal['goal']} | {verdict} |")
    for job in result["jobs"]:
        lines += _job(job)
    if result["startup"]:
        lines += ["", "## Start-up (median seconds)", "", "| | s |", "|---|---|"]
    lines += [f"| {name} | {seconds:.2f} |" for name, seconds in result["startup"].items()]
    return "\n".join(lines) + "\n"


def _job(job: dict[str, Any]) -> list[str]:
    lines = [
        "",
        f"## {job['job']}",
        "",
        "| | ms per step and network | GF/s | networks per minute | turns (disturbed) | spread | versions |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in job["rows"].items():
        time = f"{row['ms_per_step']:.4g}" if "ms_per_step" in row else ""
        rate = f"{row['networks_per_minute']:.4g}" if "networks_per_minute" in row else ""
        versions = ", ".join(f"{package} {version}" for package, version in row["versions"].items())
        lines.append(
            f"| {name} | {time} | {row['gflops']:.0f} | {rate} | {row['turns']} ({row['disturbed']}) "
            f"| {row['spread']:.0%} | {versions} |"
        )
    return lines

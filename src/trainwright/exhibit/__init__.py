"""What an exhibit is, and the words that exhibits are written in.

An exhibit is an essay in a file: its question and its source (the docstring), its scales, its studies, its
claims and its figure. `exhibits/regularization.py` is one to copy from. The words:

- `SCALES = {"quick": ..., "full": ...}`: how large everything is, as data.
- `images("mnist", train=1000)`: pictures to train on, drawn anew for each seed; `whole(x, y)`: any arrays.
- `Recipe.adding(strategy)`, `compare_all(studies, store)`, `runs_of(study, arm, store)`: train and compare;
  `scores(study.run(store))`: a row for each run, and `change(scores, "test loss", arm, other)` between arms.
- `comparison.gain("dropout")`: a `Measured` value, which writes itself, "+0.42 points (0.10 to 0.74, 95 %,
  n = 10)", and knows whether it is `.positive`; `Measured.of(values, "nats")` for any other quantity.
- `Sweep`: comparisons along a range; `Measurements`: their values, which write themselves as a list;
  `series(rows, column, place)` makes them of rows, `samples` the points, `curve(arm, column)` of a training.
- Names with their `Measurements`: drawn by `panels.along` or `panels.curves`, listed by `tabulated`.
- `Claim(says, source, seen, holds)`: made by a pure public function of numbers, so that a test can feed it
  made-up ones both ways; `Claim.judged(says, source, comparison, arm)` by a comparison's verdict.
- `described(study)`: the note on how it trains; `overview(comparison, "network")`: the table of its arms.
- `panels`: a call each, with title, labels and scales in it; legends and colours come by themselves.
"""

from trainwright.comparison.measured import Measured, Measurements, enumerated, named, tabulated
from trainwright.comparison.sweep import Sweep
from trainwright.exhibit.contract import (
    Claim,
    Exhibit,
    ExhibitResult,
    cautions,
    flat,
    intervals_cover,
    sign,
    spelled,
)
from trainwright.exhibit.data import images, whole
from trainwright.exhibit.trainings import (
    change,
    compare_all,
    curve,
    described,
    overview,
    runs_of,
    samples,
    scores,
    series,
)

__all__ = [
    "Claim",
    "Exhibit",
    "ExhibitResult",
    "Measured",
    "Measurements",
    "Sweep",
    "cautions",
    "change",
    "compare_all",
    "curve",
    "described",
    "enumerated",
    "flat",
    "images",
    "intervals_cover",
    "named",
    "overview",
    "runs_of",
    "samples",
    "scores",
    "series",
    "sign",
    "spelled",
    "tabulated",
    "whole",
]

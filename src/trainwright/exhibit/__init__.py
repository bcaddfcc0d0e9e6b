"""What an exhibit is, and the words that exhibits are written in.

An exhibit is an essay in a file: its question and its source (the docstring), its scales, what it measures,
its claims and its figure. `exhibits/costs.py` is one to copy from. It begins with `from trainwright import
exhibit as ex` and needs few other imports. The words:

- `ex.scales(data=("digits", "mnist"), seeds=(15, 10))`: how large everything is, quick and full side by side.
- `ex.images("mnist", train=1000)`: pictures to train on, drawn anew for each seed; `ex.whole(x, y)`: any
  arrays; `ex.load(name)`: a data set as it is.
- `ex.network(100, 100, strategies="momentum(0.9)", steps=500)`: a recipe; `ex.adding(recipe, "l2")`: the
  same with more strategies. `ex.fit` trains one; `ex.watched` also looks at its weights along the way;
  `ex.measure_layers` is what the instruments show of a network at one moment. `ex.walk`: where a strategy's
  update goes on a surface whose gradient is given.
- `ex.compare_all(studies, store)`, `ex.runs_of(study, arm, store)`: train and compare;
  `ex.scores(study.run(store))`: a row for each run, and `ex.means` of these for each arm; `ex.look_into`:
  what a function sees in an arm's.
- `ex.grid(measure, rule=..., seed=range(8))`: rows of what a function measures at each combination;
  `ex.change(rows, "test loss", arm, other)` between arms; `ex.series(rows, column, place)` and `ex.samples`
  are what is drawn of rows, and `ex.curve(arm, column)` of a training; `ex.exponent` is that of a power law.
- `comparison.gain("dropout")`: a `Measured` value, which writes itself, "+0.42 points (0.10 to 0.74, 95 %,
  n = 10)", and knows whether it is `.positive`, `.below(1)`: true, false, or None where its interval leaves
  that open; `Measured.of(values, "nats")` for any other quantity. `ex.every` and `ex.some` join such answers.
- `over = ex.over_each(study.run(store))`: all arms compared with each of them; `ex.gains_over(over, pairs)`,
  and `ex.all_gain(over, pairs)`: judged.
- `ex.at_each_rate(runs, "plain")`: arms compared at the same learning rate, by rate.
- `ex.evaluations(runs)`: a row for each evaluation; `ex.arrival(errors, goal)`: the first step at which a
  training is as good as a goal; `ex.race`: which of two arms gets there sooner.
- `Sweep`: comparisons along a range; `Measurements`: their values, which write themselves as a list;
  `ex.told(sweep, "dropout")`: an arm's gains, and where it helps and hurts.
- `@ex.claim(says, source)`: makes a claim of a pure public function of numbers, which returns what was seen
  and whether it holds (None: that is open), so that a test can feed it made-up ones every way;
  `Claim.judged(says, source, comparison, arm)` makes one of a comparison's verdict, `ex.agrees(verdict)` an
  answer of any.
- `ex.described(study)`: the note on how it trains; `ex.overview(comparison, "network")`: the table of its
  arms; `ex.tabulated`: of any series; `ex.cautions(comparison)`: what to know of its intervals, and
  `ex.intervals_cover` where there is no comparison; `ex.enumerated` and `ex.named`: words and places in a
  sentence.
- `figure, panels = ex.sheet(9.2, "left right", "wide wide")`; then a call for each panel, `ex.along`,
  `ex.curves`, `ex.points` or `ex.shares`, with its title, labels and scales; legends and colours come by
  themselves. `ex.level` adds a line to compare with, `ex.framed` frames what Matplotlib drew itself, and
  `ex.BLUE` and so on are the palette; `ex.looks(*arms)` keeps an arm's colour where a panel shows some only.
  `ex.strips(7.6, 1, 4.6)`: a figure in parts, for rows of different kinds; `ex.pictures` fills a part with
  images.
- `@ex.config`: makes the exhibit a class of plain values. `ex.Along`, `ex.Floats`, `ex.Figure` and `ex.Axes`
  are types of what these words take and give.
"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from trainwright.base.config import config
from trainwright.comparison.compare import ArmRuns, compare
from trainwright.comparison.measured import (
    Measured,
    Measurements,
    enumerated,
    every,
    named,
    some,
    tabulated,
)
from trainwright.comparison.results import ArmResult, Comparison
from trainwright.comparison.sweep import Sweep
from trainwright.data import Dataset, DataSpec, load
from trainwright.diagnosis.instruments import LayerStats, measure_layers
from trainwright.exhibit.contract import (
    Claim,
    Exhibit,
    ExhibitResult,
    Floats,
    Judged,
    Scale,
    agrees,
    cautions,
    claim,
    flat,
    intervals_cover,
    scales,
    sign,
    spelled,
    told,
)
from trainwright.exhibit.data import images, whole
from trainwright.exhibit.panels import (
    BLACK,
    BLUE,
    GREEN,
    GREY,
    MARKERS,
    ORANGE,
    PALETTE,
    PINK,
    SKY,
    VERMILLION,
    along,
    curves,
    framed,
    level,
    looks,
    pictures,
    points,
    shares,
    sheet,
    strips,
)
from trainwright.exhibit.races import Race, arrival, race
from trainwright.exhibit.tables import Along, change, exponent, grid, samples, series
from trainwright.exhibit.trainings import (
    Over,
    Weights,
    adding,
    all_gain,
    at_each_rate,
    compare_all,
    curve,
    described,
    evaluations,
    gains_over,
    look_into,
    means,
    network,
    over_each,
    overview,
    runs_of,
    scores,
    walk,
    watched,
)
from trainwright.networks.mlp import Mlp
from trainwright.recipe import Recipe
from trainwright.runs.run import Run
from trainwright.studies.defaults import Budget
from trainwright.studies.study import Study
from trainwright.training.fit import fit

__all__ = [
    "BLACK", "BLUE", "GREEN", "GREY", "MARKERS", "ORANGE", "PALETTE", "PINK", "SKY", "VERMILLION",
    "Along", "ArmResult", "ArmRuns", "Axes", "Budget", "Claim", "Comparison", "DataSpec", "Dataset",
    "Exhibit", "ExhibitResult", "Figure", "Floats", "Judged", "LayerStats", "Measured", "Measurements",
    "Mlp", "Over", "Race", "Recipe", "Run", "Scale", "Study", "Sweep", "Weights", "adding", "agrees",
    "all_gain", "along", "arrival", "at_each_rate", "cautions", "change", "claim", "compare",
    "compare_all", "config", "curve", "curves", "described", "enumerated", "evaluations", "every",
    "exponent", "fit", "flat", "framed", "gains_over", "grid", "images", "intervals_cover", "level",
    "load", "look_into", "looks", "means", "measure_layers", "named", "network", "over_each", "overview",
    "pictures", "points", "race", "runs_of", "samples", "scales", "scores", "series", "shares", "sheet",
    "sign", "some", "spelled", "strips", "tabulated", "told", "walk", "watched", "whole",
]  # fmt: skip

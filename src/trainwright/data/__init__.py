"""Data: from a name, a file or arrays to a `Dataset` that is split and prepared.

The flow: `loading` reads a source (`named` and `fetching`, `tables`, `npz`, `idx`) into `raw` inputs and
targets, chooses the task (`targets`), draws the `splits`, and prepares the inputs (`columns` or `pixels`)
with statistics of the training split. What was done is the data set's `Preparation`, which a model keeps to
predict later.
"""

from trainwright.data.dataset import Dataset
from trainwright.data.facts import facts
from trainwright.data.loading import DataSpec, load, read_inputs
from trainwright.data.named import NAMED
from trainwright.data.preparation import Preparation
from trainwright.data.splits import Splits
from trainwright.data.targets import Task

__all__ = [
    "NAMED",
    "DataSpec",
    "Dataset",
    "Preparation",
    "Splits",
    "Task",
    "facts",
    "load",
    "read_inputs",
]

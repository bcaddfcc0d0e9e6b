"""Data: from a name, a file or arrays to a `Dataset` that is split and prepared.

The flow: `loading` reads a source (`named` and `fetching`, `tables`, `npz`, `idx`; images by the `readers`)
into `raw` inputs and targets, chooses the task (`targets`), prepares the inputs (`columns` or `pixels`) from
all rows, and draws the `splits`. What differs from fold to fold is a `Standardization`, measured on the
fold's training rows. What was done is the data set's `Preparation`, which a model keeps to predict later.
"""

from trainwright.data.dataset import Dataset
from trainwright.data.loading import DataSpec, load, read_inputs
from trainwright.data.named import NAMED
from trainwright.data.preparation import Preparation
from trainwright.data.readers.folders import read_images
from trainwright.data.splits import Splits
from trainwright.data.standardization import Standardization
from trainwright.data.summary import facts
from trainwright.data.targets import TaskName

__all__ = [
    "NAMED",
    "DataSpec",
    "Dataset",
    "Preparation",
    "Splits",
    "Standardization",
    "TaskName",
    "facts",
    "load",
    "read_images",
    "read_inputs",
]

"""Ensemble: several models of one recipe that predict together, by the average of what each predicts.

The folder holds a model's folder for each member, `0`, `1`, ..., and `ensemble.json`, which says how many.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from trainwright.base import files, strict_json
from trainwright.base.errors import StoreError
from trainwright.data.preparation import Preparation
from trainwright.data.raw import Inputs
from trainwright.model import MEMBERS, REMEDY, Model, may_be_replaced


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Models whose probabilities, or values, are averaged."""

    members: tuple[Model, ...]
    """The models, of one data set; each counts alike."""

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of one example's inputs."""
        return self.members[0].shape

    @property
    def preparation(self) -> Preparation:
        """How the first member prepares raw data; the others differ in shifts and scales."""
        return self.members[0].preparation

    def predict(self, raw: Inputs, *, unseen: Any = "error") -> NDArray[Any]:
        """The members' mean prediction: probabilities (examples, classes), or values. See `Model.predict`."""
        each = [member.predict(raw, unseen=unseen) for member in self.members]
        return np.asarray(np.mean(each, axis=0))

    def table(self, raw: Inputs, *, unseen: Any = "error") -> pd.DataFrame:
        """Predictions as a table, see `Model.table`."""
        return self.members[0].tabulated(self.predict(raw, unseen=unseen))

    def save(self, folder: str | Path, *, replace: bool = False) -> None:
        """Write the folder, whole or not at all. Raises `StoreError` as `Model.save` does."""
        target = Path(folder)

        def fill(part: Path) -> None:
            for number, member in enumerate(self.members):
                member.save(part / str(number))
            content = strict_json.dumps({"format": files.FORMAT, "members": len(self.members)}).encode()
            files.replace_file(part / MEMBERS, content + b"\n", part)

        with files.explained(target.parent):
            replaced = replace and may_be_replaced(target)
            if not files.write_folder(target, fill, target.parent, replace=replaced):
                raise StoreError(f"{target} already exists: {REMEDY}")

    @classmethod
    def load(cls, folder: str | Path) -> Ensemble:
        """Read an ensemble's folder. Raises `StoreError` if it is none or is damaged."""
        try:
            facts = strict_json.loads((Path(folder) / MEMBERS).read_bytes())
            files.refuse_newer(facts["format"], Path(folder))
            count = int(facts["members"])
        except (OSError, ValueError, KeyError, TypeError):
            raise StoreError(f"{folder} is not an ensemble, or {MEMBERS} in it is damaged") from None
        return cls(tuple(Model.load(Path(folder) / str(number)) for number in range(count)))


def load(folder: str | Path) -> Model | Ensemble:
    """The model or the ensemble of this folder. Raises `StoreError` if it is neither or is damaged."""
    return Ensemble.load(folder) if (Path(folder) / MEMBERS).is_file() else Model.load(folder)

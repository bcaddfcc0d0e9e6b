"""`trainwright predict`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from trainwright.base.errors import DataError, SettingError
from trainwright.cli.options import Quiet, option, say_notes


def run(
    model: Annotated[Path, typer.Argument(help="A model's folder, as written by fit or study.")],
    source: Annotated[
        str,
        typer.Argument(
            metavar="DATA",
            help="A CSV, Parquet, NPZ or IDX file with the columns of the training data, or images: a folder,"
            " a tar shard, a CSV of paths, or a single one. A model of svhn_numbers takes numbers that are"
            " cut out, as in its training, not whole photographs.",
        ),
    ],
    out: Annotated[Path | None, option("The CSV file to write. Default: standard output.")] = None,
    unseen: Annotated[
        str, option("How to treat a category that was not in the training data: error or zeros.")
    ] = "error",
    quiet: Quiet = False,
) -> None:
    """Predict with a trained model.

    Writes CSV, one row per example: for images the path, then the prediction and, for classes, the
    probability of each; for numbers read digit by digit, the number and its probability.
    """
    from trainwright.data import read_images, read_inputs
    from trainwright.data.pixels import Pixels
    from trainwright.data.readers.lists import read_list
    from trainwright.data.readers.opening import holds_images
    from trainwright.ensemble import load

    if unseen not in ("error", "zeros"):
        raise SettingError(f"--unseen {unseen!r}: choose error or zeros")
    loaded = load(model)
    reading, path = loaded.preparation.inputs, Path(source).expanduser()
    pixels = reading if isinstance(reading, Pixels) else None
    images = holds_images(path)
    listed = read_list(path) if pixels and not images else None
    names, raw = (
        read_images(path, loaded.shape, squeezed=pixels is not None and pixels.cut_out, listed=listed)
        if images or listed is not None
        else ([], read_inputs(source))
    )
    try:
        table = loaded.table(raw, unseen=unseen)
        notes = loaded.preparation.notes(raw)
    except DataError as error:
        raise DataError(f"{source}: {error}") from None
    if names:
        table.insert(0, "image", names)
    say_notes(notes, quiet)
    if out is None:
        table.to_csv(sys.stdout, index=False)
    else:
        from trainwright.base import files

        with files.explained(out):
            files.write_to(out, table.to_csv(index=False).encode())

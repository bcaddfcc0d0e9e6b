"""Tables from files: CSV and Parquet."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd

from trainwright.base.errors import DataError

DELIMITERS = ",;\t|"
LEADING_ZERO = rf"""(?:^|[{DELIMITERS}])\s*["']?0\d+["']?\s*(?:$|[{DELIMITERS}\r])"""
TRUTHS = {word: word.lower() == "true" for word in ("TRUE", "True", "true", "FALSE", "False", "false")}
COMMAS = "columns with decimal commas"  # a table's attribute: those that were read so


def read_csv(path: Path) -> pd.DataFrame:
    """A CSV file with a header line. Separator: comma, semicolon, tab or bar, the header's most frequent.

    Between semicolons, a column whose numbers all have a decimal comma or no fraction is read as numbers;
    `notes_of` says so. The index, named "line", is each row's line number in the file. Raises DataError, with
    the line, for a file that is empty, not UTF-8 or has a row with more or fewer cells than the header.
    """
    content = path.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"line {line}: byte 0x{content[error.start]:02X} is not UTF-8; save the file as UTF-8"
        ) from error
    first = text.lstrip().partition("\n")[0]
    if not first:
        raise DataError("the file is empty; it needs a header line, and rows below it")
    delimiter = max(DELIMITERS, key=first.count)
    lines = _check_rows(path, text, delimiter)
    table = _parse(text, delimiter)
    if len(table) != len(lines):
        raise DataError(f"{len(lines)} rows counted but {len(table)} read; check the quotation marks")
    if delimiter == ";":
        table = _with_decimal_commas(table, text)
    table = _with_leading_zeros(table, text, delimiter)
    return table.set_axis(pd.Index(lines, name="line"))


def notes_of(table: pd.DataFrame) -> tuple[str, ...]:
    """What was decided in reading a table and is worth saying."""
    return tuple(f"column {name!r}: decimal commas are read as such" for name in table.attrs.get(COMMAS, ()))


def _parse(text: str, delimiter: str, **options: Any) -> pd.DataFrame:
    try:
        # Types are inferred from the whole file: by chunks, a column could turn from numbers to text.
        table: pd.DataFrame = pd.read_csv(
            io.StringIO(text),
            sep=delimiter,
            index_col=False,
            skipinitialspace=True,
            low_memory=False,
            **options,
        )
    except (ValueError, OverflowError) as error:  # a ParserError is a ValueError
        raise DataError(f"{error}") from error
    return table


def _with_leading_zeros(table: pd.DataFrame, text: str, delimiter: str) -> pd.DataFrame:
    """The table with those columns of whole numbers as text in which one begins with a zero, such as 007: a
    code, or a number that is read digit by digit. As an input it is a number all the same."""
    if not re.search(LEADING_ZERO, text, re.MULTILINE):
        return table
    written = _parse(text, delimiter, dtype=str)
    numbers = [name for name in table.columns if pd.api.types.is_numeric_dtype(table[name])]
    cells = {str(name): written[name].dropna() for name in numbers}
    coded = [
        name
        for name, given in cells.items()
        if given.str.fullmatch(r"\d+").all() and given.str.fullmatch(r"0\d+").any()
    ]
    return table.assign(**{name: written[name] for name in coded})


def _with_decimal_commas(table: pd.DataFrame, text: str) -> pd.DataFrame:
    """The table with those columns as numbers that are numbers with decimal commas only.

    Points that group thousands are not taken: alone, as in 2.000, they would mean another number.
    """
    texts = [name for name in table.columns if not pd.api.types.is_numeric_dtype(table[name])]
    if not texts or "," not in text:
        return table
    commas = _parse(text, ";", decimal=",")[texts]
    read = commas.select_dtypes("number")
    table = table.assign(**{str(name): read[name] for name in read.columns})
    table.attrs[COMMAS] = list(read.columns)
    return table


def _check_rows(path: Path, text: str, delimiter: str) -> list[int]:
    """The line number of each row; raises `DataError` for uneven rows, which pandas would fill silently."""
    reader = csv.reader(
        io.StringIO(text, newline=""), delimiter=delimiter, strict=True, skipinitialspace=True
    )
    header: list[str] = []
    lines: list[int] = []
    start = 1
    try:
        for cells in reader:
            line, start = start, reader.line_num + 1
            if len(cells) <= 1 and not "".join(cells).strip():
                continue
            if not header:
                header = cells
                twice = [name for name, times in Counter(filter(None, header)).items() if times > 1]
                if twice:
                    raise DataError(f"line {line}: two columns are named {twice[0]!r}; rename one of them")
                if _is_data(header):
                    raise DataError(
                        f"line {line}: all names of columns are numbers, as if the first row were data; add a"
                        " header line"
                    )
            elif len(cells) != len(header):
                raise DataError(
                    f"line {line}: {len(cells)} cells, but the header has {len(header)}; "
                    f"correct it (a cell that contains {delimiter!r} needs quotation marks)"
                )
            else:
                lines.append(line)
    except csv.Error as error:
        raise DataError(f"line {start}: {error}; check the quotation marks") from error
    return lines


def _is_data(header: list[str]) -> bool:
    """Whether a header's cells are all numbers, and not the columns' positions, as they are often written."""
    try:
        numbers = [float(name) for name in header]
    except ValueError:
        return False
    return numbers not in (list(range(len(header))), list(range(1, len(header) + 1)))


def read_parquet(path: Path) -> pd.DataFrame:
    """A Parquet file. The index, named "row", counts from 0.

    Raises `DataError` if the file, a column's values or the notes that pandas left in it are damaged.
    """
    import pyarrow
    from pyarrow import parquet

    try:
        stored = parquet.read_table(path)
    except (pyarrow.ArrowException, OSError, ValueError) as error:
        raise DataError(f"not a readable Parquet file ({_first_line(error)}); export it again") from error
    for name, values in zip(stored.column_names, stored.columns, strict=True):
        try:
            values.validate(full=True)  # pandas would not notice bytes that are no UTF-8 until they are used
        except pyarrow.ArrowInvalid as error:
            raise DataError(f"column {name!r}: damaged ({_first_line(error)}); export it again") from error
    try:
        table: pd.DataFrame = stored.to_pandas()
    except (pyarrow.ArrowException, LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError(
            f"its pandas metadata is damaged ({type(error).__name__}: {_first_line(error)}); export it again"
        ) from error
    for place in range(table.shape[1]):
        table.isetitem(place, _truths(table.iloc[:, place]).array)
    named = [name for name in table.index.names if name is not None]
    return table.reset_index(drop=not named).rename_axis("row")


def _truths(column: pd.Series[Any]) -> pd.Series[Any]:
    """Text that says true or false in every row as what it says: so a CSV is read, which may come next."""
    if column.dtype.kind != "O":
        return column
    said = column.dropna()
    spelled = len(said) and all(isinstance(value, str) and value in TRUTHS for value in said)
    return column.map(TRUTHS) if spelled else column


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0].rstrip(".")

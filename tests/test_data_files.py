"""Files: CSV, Parquet, NPZ and IDX, whole and damaged."""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pyarrow import parquet

from trainwright.base.errors import DataError, SettingError
from trainwright.data import load, read_inputs
from trainwright.data.idx import TYPES, read_idx
from trainwright.data.npz import read_npz
from trainwright.data.tables import read_csv

LABELS = np.tile(np.array([0, 1, 2], np.uint8), 10)
IMAGES = np.random.default_rng(0).integers(256, size=(30, 4, 4)).astype(np.uint8)

reused = settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def idx(array: np.ndarray) -> bytes:
    code = next(code for code, name in TYPES.items() if np.dtype(name) == array.dtype.newbyteorder(">"))
    header = bytes([0, 0, code, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return header + array.astype(TYPES[code]).tobytes()


def csv(tmp_path: Path, text: str | bytes, name: str = "data.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


GOOD = [f"{i},{'red' if i % 3 else 'blue'},{'yes' if i % 2 else 'no'}" for i in range(10, 40)]


def table(*lines: str) -> str:
    return "\n".join(["size,colour,bought", *lines]) + "\n"


# CSV


def test_csv_is_read_as_the_frame_is(tmp_path: Path) -> None:
    path = csv(tmp_path, table(*GOOD))
    data = load(path, target="bought")
    assert data.fingerprint == load(pd.read_csv(path), target="bought").fingerprint
    assert data.name == "data"
    assert data.source == str(path)
    expected, _ = data.standardized(np.arange(len(data.inputs)))
    np.testing.assert_allclose(data.preparation.transform(read_inputs(path)), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("delimiter", [";", "\t", "|", ", "])
def test_other_delimiters_are_seen(tmp_path: Path, delimiter: str) -> None:
    expected = load(csv(tmp_path, table(*GOOD)), target="bought").fingerprint
    other = csv(tmp_path, "\ufeff" + table(*GOOD).replace(",", delimiter).replace("\n", "\r\n"))
    assert load(other, target="bought").fingerprint == expected


def test_decimal_commas_between_semicolons_are_read_as_decimal_points_are(tmp_path: Path) -> None:
    lines = [f"{i / 2 if i % 3 else i};{'1.5' if i % 2 else '2,5'};{i / 7:.3g}" for i in range(40)]
    points = load(csv(tmp_path, "\n".join(["size;grade;price", *lines]), "points.csv"), target="price")
    text = "\n".join(["size;grade;price", *(";".join(decimal_commas(line)) for line in lines)])
    path = csv(tmp_path, text)
    data = load(path, target="price")
    assert data.task == "regression"
    assert data.fingerprint == points.fingerprint  # "grade" has both, and is no number in either
    assert [note for note in data.notes if "decimal commas" in note] == [
        "column 'size': decimal commas are read as such",
        "column 'price': decimal commas are read as such",
    ]
    expected, _ = data.standardized(np.arange(len(data.inputs)))
    np.testing.assert_allclose(data.preparation.transform(read_inputs(path)), expected, rtol=1e-5, atol=1e-6)


def decimal_commas(line: str) -> list[str]:
    size, grade, price = line.split(";")
    return [size.replace(".", ","), grade, price.replace(".", ",")]


@pytest.mark.parametrize("quote", ["", '"'])
def test_zeros_in_front_are_kept_and_inputs_are_numbers_all_the_same(tmp_path: Path, quote: str) -> None:
    written = ["007", "42", "0815", "5"] * 10
    rows = [f"{quote}{number}{quote},{place**2 % 17},0{place % 7}" for place, number in enumerate(written)]
    path = csv(tmp_path, "\n".join(["number,left,right", *rows]) + "\n")
    read = read_csv(path)
    assert read["number"].tolist() == written
    assert pd.api.types.is_numeric_dtype(read["left"])
    data = load(path, target="number", task="sequence")
    assert data.targets[0].tolist()[:4] == [3, 0, 0, 7]
    assert data.targets[2].tolist()[:5] == [4, 0, 8, 1, 5]
    assert data.inputs.shape == (40, 2)  # two columns of numbers
    codes = csv(
        tmp_path, "code,y\n" + "".join(f"{code},{n % 2}\n" for n, code in enumerate(["007", "A12"] * 20))
    )
    known = load(codes, target="y").preparation
    (tmp_path / "new.csv").write_text("code\n007\n")
    assert known.transform(read_csv(tmp_path / "new.csv")).sum() == 1
    between = csv(tmp_path, "code;size;said\n007;1,5;a, b\n42;0,5;c\n;05;d\n")
    assert read_csv(between)["code"].tolist()[:2] == ["007", "42"]
    assert read_csv(between)["size"].tolist() == [1.5, 0.5, 5.0]


def test_a_text_that_looks_like_a_huge_number_is_a_name(tmp_path: Path) -> None:
    ids = [f"{n:04x}e{n % 90 + 300}" for n in range(40)] + ["Infinity", "abc"]
    frame = pd.DataFrame({"id": ids, "x": range(2, 44), "y": [0, 1] * 21})
    data = load(frame, target="y")
    assert data.inputs.shape == (42, 1)
    assert any("'id' is left out" in note for note in data.notes)
    with pytest.raises(DataError, match="infinite"):
        load(frame.assign(x=[np.inf, *range(41)]), target="y")


def test_a_nullable_float_target_names_classes_as_any_other() -> None:
    frame = pd.DataFrame({"x": np.arange(60.0), "y": pd.array([0, 1, 2] * 20, dtype="Float32")})
    assert load(frame, target="y", task="classification").classes == ("0", "1", "2")


def test_points_that_group_thousands_are_not_guessed_at(tmp_path: Path) -> None:
    assert read_csv(csv(tmp_path, "price;paid\n1.234,50;1,5\n2.000;2\n"))["price"].tolist() == [
        "1.234,50",
        "2.000",
    ]


def test_line_numbers_are_the_file_s(tmp_path: Path) -> None:
    text = '\nsize,note\n1,"two\nlines"\n\n2,b\n3,c\n'
    assert read_csv(csv(tmp_path, text)).index.tolist() == [3, 6, 7]


@pytest.mark.parametrize(
    ("text", "target", "message"),
    [
        (table(*GOOD), "bougth", r"no column 'bougth' to predict; did you mean 'bought'\?"),
        (table(*GOOD), None, "name the column to predict"),
        ("0.5,7,1\n0.1,7,0\n", "1", "line 1: all names of columns are numbers"),
        (table(*GOOD, "5,red"), "bought", "line 32: 2 cells, but the header has 3"),
        (table(*GOOD[:3], "5,red,no,what", *GOOD), "bought", "line 5: 4 cells, but the header has 3"),
        (table(*GOOD, "inf,red,no"), "bought", "line 32, column 'size': inf is infinite"),
        (table(*GOOD, "5,red,"), "bought", "line 32, column 'bought': the target is missing"),
        (table(*(line.replace("yes", "no") for line in GOOD)), "bought", "only one class"),
        (table(*GOOD[:2]), "bought", "2 examples"),
        (table(), "bought", "0 examples"),
        ("", "bought", "the file is empty"),
        ("\n\n", "bought", "the file is empty"),
        (table(*GOOD).replace("size", "colour"), "bought", "line 1: two columns are named 'colour'"),
        (table(*GOOD).encode() + b"5,gr\xfcn,no\n", "bought", "line 32: byte 0xFC is not UTF-8"),
        (table(*GOOD, '5,"red,no'), "bought", "line 32: unexpected end of data; check the quotation marks"),
        (table(*GOOD, "5,red,maybe"), "bought", "'maybe' has 1 example"),
        ("bought\n" + "yes\nno\n" * 10, "bought", "no column can be used as input: there is none"),
    ],
)
def test_bad_csv_is_refused_with_its_line(
    tmp_path: Path, text: str | bytes, target: str | None, message: str
) -> None:
    path = csv(tmp_path, text)
    with pytest.raises(DataError, match=message) as refusal:
        load(path, target=target)
    assert str(path) in str(refusal.value)


@reused
@given(text=st.text(alphabet='ab1,;"\n\r \t.-', max_size=80))
def test_any_text_is_read_or_refused(tmp_path: Path, text: str) -> None:
    path = csv(tmp_path, text)
    try:
        frame = read_csv(path)
    except DataError:
        return
    assert len(frame.index) == len(frame)


def test_unknown_sources_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingError, match="target='label'"):
        load("digits", target="label")
    with pytest.raises(DataError, match=r"'mnits'; did you mean 'mnist'\?"):
        load("mnits")
    with pytest.raises(DataError, match="unknown file format"):
        load(csv(tmp_path, "x", "data.xlsx"))
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(DataError):
        load(tmp_path / "folder.csv", target="x")


# Parquet


def test_parquet_is_read_and_damage_refused(tmp_path: Path) -> None:
    frame = pd.read_csv(csv(tmp_path, table(*GOOD)))
    path = tmp_path / "data.parquet"
    frame.assign(tags=[[1, 2]] * len(frame), day=pd.Timestamp("2020-01-01")).to_parquet(path)
    data = load(path, target="bought")
    assert data.fingerprint == load(frame, target="bought").fingerprint
    assert sum("left out" in note for note in data.notes) == 2
    content = path.read_bytes()
    for damaged in (content[: len(content) // 2], b"", b"PAR1" + content[40:]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"data\.parquet"):
            load(path, target="bought")


def test_text_that_says_true_or_false_is_read_alike_from_parquet_and_csv(tmp_path: Path) -> None:
    words = ["TRUE", "FALSE", None, "TRUE"] * 10
    frame = pd.DataFrame({"garage": words, "mixed": ["TRUE", "no"] * 20, "y": [0, 1] * 20})
    frame.to_parquet(tmp_path / "data.parquet")
    frame.to_csv(tmp_path / "data.csv", index=False)
    stored, written = (load(tmp_path / f"data.{kind}", target="y") for kind in ("parquet", "csv"))
    assert stored.fingerprint == written.fingerprint
    assert stored.preparation.transform(read_csv(tmp_path / "data.csv")).shape == stored.inputs.shape


def test_parquet_with_text_that_is_not_utf8(tmp_path: Path) -> None:
    frame = pd.read_csv(csv(tmp_path, table(*GOOD)))
    latin1 = pyarrow.array([b"caf\xe9"] * len(frame), pyarrow.binary()).view(pyarrow.string())
    stored = pyarrow.Table.from_pandas(frame).append_column("town", latin1)
    parquet.write_table(stored, tmp_path / "data.parquet")
    for read in (lambda path: load(path, target="bought"), read_inputs):
        with pytest.raises(
            DataError, match=r"data\.parquet: column 'town': damaged \(.*UTF8.*; export it again"
        ):
            read(tmp_path / "data.parquet")


@pytest.mark.parametrize(
    "damage",
    [
        lambda notes: [column.pop("pandas_type") for column in notes["columns"]],
        lambda notes: [column.pop("name") for column in notes["columns"]],
        lambda notes: [column.update(numpy_type="wrong") for column in notes["columns"]],
        lambda notes: notes.pop("columns"),
        lambda notes: notes.update(index_columns=["nowhere"]),
        lambda notes: notes.update(column_indexes=[{"a": 1}]),
    ],
)
def test_parquet_with_damaged_pandas_metadata(tmp_path: Path, damage: Callable[[Any], object]) -> None:
    stored = pyarrow.Table.from_pandas(pd.read_csv(csv(tmp_path, table(*GOOD))))
    notes = json.loads(stored.schema.metadata[b"pandas"])
    damage(notes)
    damaged = stored.replace_schema_metadata({b"pandas": json.dumps(notes).encode()})
    parquet.write_table(damaged, tmp_path / "data.parquet")
    with pytest.raises(DataError, match=r"data\.parquet: its pandas metadata is damaged .*; export it again"):
        load(tmp_path / "data.parquet", target="bought")


# NPZ


@pytest.mark.parametrize("names", [("x", "y"), ("X", "target"), ("images", "labels"), ("inputs", "targets")])
def test_npz_by_any_usual_name(tmp_path: Path, names: tuple[str, str]) -> None:
    np.savez(tmp_path / "d.npz", **dict(zip(names, (IMAGES, LABELS), strict=True)))
    data = load(tmp_path / "d.npz")
    assert data.fingerprint == load((IMAGES, LABELS)).fingerprint
    np.testing.assert_array_equal(read_inputs(tmp_path / "d.npz"), IMAGES)


def test_npz_with_its_own_test_set(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "d.npz", x_train=IMAGES[:21], y_train=LABELS[:21], x_test=IMAGES[21:], y_test=LABELS[21:]
    )
    assert load(tmp_path / "d.npz").splits.test.tolist() == list(range(21, 30))


def test_npz_that_cannot_be_used_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=np.array([{}, []], dtype=object), y=LABELS)
    with pytest.raises(DataError, match="'x' holds Python objects"):
        load(path)
    np.savez(path, alpha=IMAGES, beta=LABELS)
    with pytest.raises(DataError, match="the arrays alpha, beta; name them x and y"):
        load(path)
    with path.open("wb") as file:
        np.save(file, IMAGES)
    with pytest.raises(DataError, match="a single array"):
        load(path)
    for content in (b"", b"nonsense", b"PK\x03\x04"):
        path.write_bytes(content)
        with pytest.raises(DataError, match=r"d\.npz: not a readable NPZ file"):
            load(path)


@reused
@given(data=st.data())
def test_damaged_npz_is_refused_or_unchanged(tmp_path: Path, data: st.DataObject) -> None:
    path = tmp_path / "d.npz"
    np.savez(path, x=IMAGES[:3], y=LABELS[:3])
    content = bytearray(path.read_bytes())
    if data.draw(st.booleans()):
        del content[data.draw(st.integers(0, len(content) - 1)) :]
    else:
        content[data.draw(st.integers(0, len(content) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(content)
    try:
        x, y = read_npz(path)
    except DataError:
        return
    np.testing.assert_array_equal(x, IMAGES[:3])  # the flipped bit was in the archive's own book-keeping
    np.testing.assert_array_equal(y, LABELS[:3])


# IDX


@reused
@given(
    array=hnp.arrays(
        st.sampled_from([np.dtype(name).newbyteorder("=") for name in TYPES.values()]),
        hnp.array_shapes(max_dims=4, max_side=4),
    ),
    packed=st.booleans(),
)
def test_idx_round_trip(tmp_path: Path, array: np.ndarray, packed: bool) -> None:
    path = tmp_path / "a.idx"
    path.write_bytes(gzip.compress(idx(array)) if packed else idx(array))
    read = read_idx(path)
    assert read.dtype == array.dtype
    np.testing.assert_array_equal(read, array)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "byte 0: nothing"),
        (b"\x89PNG1234", "byte 0: 89 50 4e 47"),
        (b"\0\0\x07\x01\0\0\0\0", "byte 0: 00 00 07 01"),
        (b"\0\0\x08\x00", "byte 0"),
        (idx(IMAGES)[:9], "byte 9: the file ends within its header"),
        (idx(IMAGES)[:-1], "byte 495: the file ends too early"),
        (idx(IMAGES) + b"\0", "byte 496: the file continues"),
        (gzip.compress(idx(IMAGES))[:-9], "damaged gzip"),
        (gzip.compress(idx(IMAGES))[:30] + b"????" + gzip.compress(idx(IMAGES))[34:], "damaged gzip"),
    ],
)
def test_damaged_idx_is_refused_with_its_byte(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "train-images-idx3-ubyte").write_bytes(content)
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    with pytest.raises(DataError, match=f"train-images-idx3-ubyte: {message}"):
        load(tmp_path)


def test_idx_folder_and_file(tmp_path: Path) -> None:
    (tmp_path / "train-images-idx3-ubyte.gz").write_bytes(gzip.compress(idx(IMAGES)))
    with pytest.raises(DataError, match="no IDX files named train-labels"):
        load(tmp_path)
    with pytest.raises(DataError, match="its labels are missing"):
        load(tmp_path / "train-images-idx3-ubyte.gz")
    (tmp_path / "train-labels-idx1-ubyte").write_bytes(idx(LABELS))
    expected = load((IMAGES, LABELS)).fingerprint
    assert load(tmp_path).fingerprint == expected
    assert load(tmp_path / "train-images-idx3-ubyte.gz").fingerprint == expected
    (tmp_path / "t10k-images-idx3-ubyte").write_bytes(idx(IMAGES[:6]))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:6]))
    assert load(tmp_path).splits.test.tolist() == list(range(30, 36))
    np.testing.assert_array_equal(read_inputs(tmp_path), np.concatenate([IMAGES, IMAGES[:6]]))
    (tmp_path / "t10k-labels-idx1-ubyte").write_bytes(idx(LABELS[:5]))
    with pytest.raises(DataError, match="t10k-labels-idx1-ubyte: labels of shape"):
        load(tmp_path)

"""SVHN, CIFAR-10 and ImageNet in their own formats, from files that the tests write."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.io import savemat

from trainwright.base.errors import DataError, SettingError
from trainwright.cli import main
from trainwright.data import load, read_images
from trainwright.data.loading import read
from trainwright.data.readers.cifar10 import CLASSES, RECORD
from trainwright.data.readers.opening import open_images
from trainwright.data.readers.svhn import Digit, expanded, index_numbers, labels
from trainwright.model import Model

RNG = np.random.default_rng(0)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRAINWRIGHT_CACHE", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("name", ["svhn", "svhn_numbers", "cifar10", "imagenet"])
def test_a_set_that_is_not_there_says_how_to_get_it(cache: Path, name: str) -> None:
    with pytest.raises(
        DataError, match=rf"{name} has to be downloaded by hand: get .* from http.* in {cache / name} "
    ):
        load(name)


# SVHN, format 2


def write_digits(folder: Path, train: int = 40, test: int = 20) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    folder.mkdir(parents=True, exist_ok=True)
    content = {}
    for part, count in (("train", train), ("test", test)):
        x = RNG.integers(256, size=(32, 32, 3, count), dtype=np.uint8)
        y = np.arange(count, dtype=np.uint8)[:, None] % 10 + 1
        savemat(folder / f"{part}_32x32.mat", {"X": x, "y": y}, do_compression=True)
        content[part] = x, y
    return content


def test_svhn_s_digits(cache: Path) -> None:
    content = write_digits(cache / "svhn")
    raw = read("svhn")
    assert raw.own_test == 20
    for i in (0, 9, 39):
        np.testing.assert_array_equal(raw.inputs[i], content["train"][0][..., i])
    np.testing.assert_array_equal(raw.inputs[45], content["test"][0][..., 5])
    assert list(raw.targets[:11]) == [1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]  # their 10 is the digit 0
    data = load("svhn")
    assert data.classes == tuple("0123456789")
    assert data.shape == (32, 32, 3)
    with pytest.raises(SettingError, match="size=8"):
        load("svhn", size=8)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda p: p.unlink(), "no such file; get it from http"),
        (lambda p: p.write_bytes(p.read_bytes()[:3000]), "not SVHN's, or damaged"),
        (lambda p: p.write_bytes(b"no mat"), "not SVHN's, or damaged"),
        (
            lambda p: savemat(p, {"X": np.zeros((3, 3)), "y": [[1]]}),
            r"X \(3, 3\) and y \(1,\) are not SVHN's",
        ),
        (lambda p: savemat(p, {"Z": 1}), "not SVHN's"),
    ],
)
def test_bad_digits_are_refused_by_their_file(
    cache: Path, spoil: Callable[[Path], object], message: str
) -> None:
    write_digits(cache / "svhn")
    spoil(cache / "svhn" / "test_32x32.mat")
    with pytest.raises(DataError, match=rf"svhn/test_32x32\.mat: {message}"):
        load("svhn")


# SVHN, format 1


def numbers(count: int, longest: int = 6) -> dict[str, list[Digit]]:
    """Numbers of 1 to `longest` digits, each digit in a box of its own, as they might be drawn."""
    drawn = {}
    for i in range(1, count + 1):
        length = i % longest + 1
        drawn[f"{i}.png"] = [Digit((i + k) % 10, 5 + 9 * k, 4 + k, 9, 16) for k in range(length)]
    return drawn


def draw(folder: Path, file: str, digits: list[Digit]) -> np.ndarray:
    """A picture of 70×30 pixels, black but for each digit's box, which is as bright as the digit is large."""
    pixels = np.zeros((30, 70, 3), np.uint8)
    for d in digits:
        pixels[int(d.top) : int(d.top + d.height), int(d.left) : int(d.left + d.width)] = 20 * d.label + 50
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / file)
    return pixels


def write_numbers(folder: Path) -> dict[str, dict[str, list[Digit]]]:
    drawn = {"train": numbers(24), "test": numbers(6)}
    for part, files in drawn.items():
        for file, digits in files.items():
            draw(folder / part, file, digits)
    return drawn


def as_json(drawn: dict[str, dict[str, list[Digit]]]) -> dict[str, Any]:
    return {
        part: {file: {"boxes": [d._asdict() for d in digits]} for file, digits in files.items()}
        for part, files in drawn.items()
    }


def test_svhn_s_numbers_from_json(cache: Path) -> None:
    folder = cache / "svhn_numbers"
    drawn = write_numbers(folder)
    (folder / "labels.json").write_text(json.dumps(as_json(drawn)))
    index = open_images("svhn_numbers")
    assert index is not None
    assert index.shape == (64, 64, 3)
    assert index.own_test == 6
    assert list(index.labels.index[22:26]) == ["train/23.png", "train/24.png", "test/1.png", "test/2.png"]
    assert list(index.labels) == ["number", "length", "digit1", "digit2", "digit3", "digit4", "digit5"]
    assert index.labels.iloc[1].tolist() == ["234", 3, 2, 3, 4, -1, -1]
    assert index.labels.iloc[4].tolist() == ["567890", 6, 5, 6, 7, 8, 9]  # six digits: more than five
    assert load("svhn_numbers", target="length").classes == ("1", "2", "3", "4", "5", "6")
    assert load("svhn_numbers", target="digit1", size=16).shape == (16, 16, 3)
    with pytest.raises(SettingError, match="size=0"):
        load("svhn_numbers", target="digit1", size=0)
    data = load("svhn_numbers")
    assert (data.task, data.outputs, data.classes) == ("sequence", 57, ())
    assert data.targets.dtype == np.int32
    assert data.targets[[1, 4]].tolist() == [[3, 2, 3, 4, -1, -1], [6, 5, 6, 7, 8, 9]]
    assert load("svhn_numbers", task="classification", target="digit1").task == "classification"


def test_the_crop_is_the_box_around_all_digits_and_30_percent(cache: Path) -> None:
    digits = [Digit(4, 20, 5, 10, 16), Digit(2, 30, 7, 10, 18)]  # together 20 wide, 20 high
    assert expanded(digits) == (17, 2, 43, 28)
    pixels = draw(cache / "train", "1.png", digits)
    draw(cache / "test", "1.png", digits)
    (cache / "labels.json").write_text(
        json.dumps(as_json({part: {"1.png": digits} for part in ("train", "test")}))
    )
    np.testing.assert_array_equal(index_numbers(cache, 26).decode(0), pixels[2:28, 17:43])


def test_boxes_may_reach_outside_the_image(cache: Path) -> None:
    digits = [Digit(4, -6, 5, 40, 40)]
    pixels = np.full((30, 70, 3), 90, np.uint8)
    for part in ("train", "test"):
        (cache / part).mkdir()
        Image.fromarray(pixels).save(cache / part / "1.png")
    (cache / "labels.json").write_text(
        json.dumps(as_json({part: {"1.png": digits} for part in ("train", "test")}))
    )
    np.testing.assert_array_equal(index_numbers(cache, 64).decode(0), np.full((64, 64, 3), 90))
    digits = [Digit(4, 100, 5, 10, 10)]
    (cache / "labels.json").write_text(
        json.dumps(as_json({part: {"1.png": digits} for part in ("train", "test")}))
    )
    with pytest.raises(DataError, match=r"train/1\.png: its box .* misses its 70×30 pixels"):
        index_numbers(cache, 64).read()


def test_a_length_and_digits() -> None:
    for text in ("7", "10", "99999", "123456"):
        found = labels([Digit(int(c), 0, 0, 1, 1) for c in text])
        assert found["length"] == min(len(text), 6)
        digits = [found[f"digit{i}"] for i in range(1, 6)]
        assert digits == [int(c) for c in text[:5]] + [-1] * (5 - len(text))
    assert labels([Digit(10, 0, 0, 1, 1)])["number"] == "0"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.pop("test"), r"labels\.json: test: not boxes of digits \(no 'test'\)"),
        (lambda c: c["train"].clear(), r"labels\.json: train: not boxes of digits \(no image\)"),
        (lambda c: c["train"]["3.png"].pop("boxes"), r"labels\.json: train, 3\.png: .*no 'boxes'"),
        (lambda c: c["train"]["3.png"]["boxes"][0].pop("top"), r"train, 3\.png: .*'top'"),
        (lambda c: c["train"]["3.png"].update(boxes=[]), r"train, 3\.png: .*no box"),
        (lambda c: c["train"]["3.png"]["boxes"][0].update(label=11), r"train, 3\.png: .*label=11"),
        (lambda c: c["train"]["3.png"]["boxes"][0].update(width=0), r"train, 3\.png: .*width=0"),
        (lambda c: c["train"]["3.png"]["boxes"][0].update(left="x"), r"train, 3\.png: .*left='x'"),
    ],
)
def test_bad_boxes_are_refused_by_their_image(
    cache: Path, change: Callable[[Any], object], message: str
) -> None:
    content = as_json({"train": numbers(24), "test": numbers(6)})
    change(content)
    (cache / "labels.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=message):
        index_numbers(cache, 64)


def test_boxes_that_are_no_json_are_refused(cache: Path) -> None:
    (cache / "labels.json").write_text('{"train": ')
    with pytest.raises(DataError, match=r"labels\.json: not boxes of digits"):
        index_numbers(cache, 64)


def write_digit_struct(path: Path, files: dict[str, list[Digit]]) -> None:
    """As MATLAB 7.3 writes SVHN's: a number stands alone, several by reference; the digit 0 is 10."""
    h5py = pytest.importorskip("h5py")
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        references = file.create_group("#refs#")

        def refer(array: np.ndarray) -> Any:
            return references.create_dataset(str(len(references)), data=array).ref

        structure = file.create_group("digitStruct")
        names = structure.create_dataset("name", (len(files), 1), h5py.ref_dtype)
        boxes = structure.create_dataset("bbox", (len(files), 1), h5py.ref_dtype)
        for i, (name, digits) in enumerate(files.items()):
            names[i, 0] = refer(np.array([[ord(c)] for c in name], np.uint16))
            group = references.create_group(f"box{i}")
            boxes[i, 0] = group.ref
            for key in Digit.__annotations__:
                values = [float(getattr(d, key) or 10) if key == "label" else getattr(d, key) for d in digits]
                if len(values) == 1:
                    group.create_dataset(key, data=np.array([values], np.float64))
                else:
                    column = group.create_dataset(key, (len(values), 1), h5py.ref_dtype)
                    for k, value in enumerate(values):
                        column[k, 0] = refer(np.array([[value]], np.float64))


def test_digit_struct_reads_as_json_does(tmp_path: Path) -> None:
    drawn = write_numbers(tmp_path / "json")
    (tmp_path / "json" / "labels.json").write_text(json.dumps(as_json(drawn)))
    write_numbers(tmp_path / "mat")
    for part, files in drawn.items():
        write_digit_struct(tmp_path / "mat" / part / "digitStruct.mat", files)
    first, second = (index_numbers(tmp_path / form, 32) for form in ("json", "mat"))
    assert first.labels.equals(second.labels)
    np.testing.assert_array_equal(first.read(), second.read())


def test_bad_digit_structs_are_refused_by_their_file(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    with pytest.raises(DataError, match=r"train/digitStruct\.mat: no such file; get it from http"):
        index_numbers(tmp_path, 64)
    for part in ("train", "test"):
        write_digit_struct(tmp_path / part / "digitStruct.mat", numbers(6))
    path = tmp_path / "test" / "digitStruct.mat"
    content = path.read_bytes()
    for damaged in (b"", b"no mat", content[: len(content) // 2]):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"test/digitStruct\.mat: not SVHN's, or damaged"):
            index_numbers(tmp_path, 64)


def test_without_h5py_it_is_said_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "h5py", None)
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "digitStruct.mat").write_bytes(b"")
    with pytest.raises(DataError, match=r"pip install 'trainwright\[svhn\]'"):
        index_numbers(tmp_path, 64)


# CIFAR-10


def write_batches(folder: Path, count: int = 20) -> np.ndarray:
    folder.mkdir(parents=True)
    records = RNG.integers(256, size=(6, count, RECORD), dtype=np.uint8)
    records[:, :, 0] = np.arange(count) % 10
    for name, batch in zip(
        [*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"], records, strict=True
    ):
        batch.tofile(folder / name)
    return records


@pytest.mark.parametrize("inside", ["", "cifar-10-batches-bin"])
def test_cifar10_s_binary_version(cache: Path, inside: str) -> None:
    records = write_batches(cache / "cifar10" / inside)
    raw = read("cifar10")
    assert raw.inputs.shape == (120, 32, 32, 3)
    assert raw.own_test == 20
    for batch, i, row, column, channel in [(0, 0, 0, 0, 0), (2, 5, 3, 7, 1), (5, 19, 31, 30, 2)]:
        value = records[batch, i, 1 + 1024 * channel + 32 * row + column]  # the format's own words
        assert raw.inputs[20 * batch + i, row, column, channel] == value
    assert list(raw.targets[:10]) == list(CLASSES)
    assert load("cifar10").classes == CLASSES


def test_cifar10_as_png_folders(cache: Path) -> None:
    for part, count in (("train", 6), ("test", 2)):
        for name in ("cat", "dog"):
            (cache / "cifar10" / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = RNG.integers(256, size=(32, 32, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(cache / "cifar10" / part / name / f"{i}.png")
    raw = read("cifar10")
    assert raw.name == "cifar10"
    assert raw.inputs.shape == (16, 32, 32, 3)
    assert raw.own_test == 4


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda f: (f / "data_batch_3.bin").unlink(), r"data_batch_3\.bin: No such file"),
        (lambda f: (f / "test_batch.bin").write_bytes(b""), r"test_batch\.bin: 0 bytes, no whole number"),
        (lambda f: (f / "data_batch_2.bin").write_bytes(b"x" * 3074), r"data_batch_2\.bin: 3074 bytes"),
        (lambda f: (f / "data_batch_2.bin").write_bytes(b"\x0a" * 3073), "record 0: class 10, not 0 to 9"),
        (lambda f: [p.unlink() for p in f.iterdir()], "neither data_batch_1.bin nor train/ is there"),
    ],
)
def test_bad_batches_are_refused_by_their_file(
    cache: Path, spoil: Callable[[Path], object], message: str
) -> None:
    write_batches(cache / "cifar10")
    spoil(cache / "cifar10")
    with pytest.raises(DataError, match=message):
        load("cifar10")


# ImageNet


def test_imagenet_is_read_at_256_pixels_or_as_asked(cache: Path) -> None:
    for part, count in (("train", 6), ("val", 2)):
        for name in ("n01440764", "n02102040"):
            (cache / "imagenet" / part / name).mkdir(parents=True)
            for i in range(count):
                pixels = RNG.integers(256, size=(20, 30, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(cache / "imagenet" / part / name / f"{i}.JPEG")
    index = open_images("imagenet")
    assert index is not None
    assert index.shape == (256, 256, 3)
    assert index.own_test == 4
    assert load("imagenet", size=24).shape == (24, 24, 3)


def test_a_model_of_numbers_predicts_for_numbers_that_are_cut_out(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = cache / "svhn_numbers"
    drawn = write_numbers(folder)
    (folder / "labels.json").write_text(json.dumps(as_json(drawn)))
    (tmp_path / "cut").mkdir()
    for file, digits in drawn["test"].items():
        left, top, right, bottom = expanded(digits)
        with Image.open(folder / "test" / file) as photograph:
            photograph.crop((max(left, 0), max(top, 0), min(right, 70), min(bottom, 30))).save(
                tmp_path / "cut" / file
            )
    model, out = str(tmp_path / "model"), tmp_path / "said.csv"
    for arguments in (
        ["fit", "svhn_numbers", "--size", "16", "--network", "mlp((16,))", "--epochs", "1", "--out", model],
        ["predict", model, str(tmp_path / "cut"), "--out", str(out)],
    ):
        monkeypatch.setattr(sys, "argv", ["trainwright", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        assert not ended.value.code, capsys.readouterr().err
    said = pd.read_csv(out, dtype={"prediction": str})
    assert list(said) == ["image", "prediction", "probability"]
    assert set(said["image"]) == set(drawn["test"])
    # All of a cut-out image is seen, as in the training, whatever its proportions: no digit is left out.
    names, seen = read_images(tmp_path / "cut", (16, 16, 3), squeezed=True)
    for name, pixels in zip(names, seen, strict=True):
        with Image.open(tmp_path / "cut" / name) as number:
            np.testing.assert_array_equal(pixels, number.resize((16, 16), Image.Resampling.BILINEAR))
    test = load("svhn_numbers", size=16)
    trained_on = np.sort(test.inputs[test.splits.test].mean(axis=(1, 2, 3)))
    np.testing.assert_allclose(np.sort(seen.mean(axis=(1, 2, 3))), trained_on, rtol=0.15)
    loaded = Model.load(model)
    table = loaded.table(seen)
    assert table["prediction"].tolist() == said["prediction"].fillna("").tolist()
    np.testing.assert_allclose(table["probability"], said["probability"], rtol=1e-5)

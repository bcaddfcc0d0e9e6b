"""Images in files: decoding, folders, lists, shards; whole, odd and damaged."""

from __future__ import annotations

import contextlib
import io
import os
import pickle
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from trainwright.base.errors import DataError, SettingError
from trainwright.data import Preparation, load, read_images, read_inputs
from trainwright.data.loading import read
from trainwright.data.readers import memory
from trainwright.data.readers.decoding import HEAD, ImageFile, decode, read_header
from trainwright.data.readers.folders import index_folder
from trainwright.data.readers.opening import open_images
from trainwright.data.streamed import Streamed
from trainwright.data.threads import in_threads
from trainwright.training import step
from trainwright.training.resident import fold_of, resident

RNG = np.random.default_rng(0)
COLOUR = RNG.integers(256, size=(6, 9, 3), dtype=np.uint8)
GREY = RNG.integers(256, size=(6, 9), dtype=np.uint8)


def encode(pixels: np.ndarray, form: str = "PNG", mode: str | None = None, **options: object) -> bytes:
    content = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(content, form, **options)
    return content.getvalue()


def save(path: Path, content: bytes | np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else encode(content))
    return path


def fill(folder: Path, classes: str = "cat dog", count: int = 6, side: int = 8) -> Path:
    """A folder of classes, each of `count` images of its own colour and some noise."""
    for number, name in enumerate(classes.split()):
        for i in range(count):
            pixels = RNG.integers(60, size=(side, side, 3), dtype=np.uint8)
            pixels[..., number % 3] += 150
            save(folder / name / f"{i}.png", pixels)
    return folder


def parts(folder: Path, **counts: int) -> Path:
    for part, count in counts.items():
        fill(folder / part, count=count)
    return folder


# Decoding


def test_lossless_images_are_read_as_they_are(tmp_path: Path) -> None:
    file = ImageFile("a.png", save(tmp_path / "a.png", COLOUR))
    np.testing.assert_array_equal(decode(file, (6, 9, 3)), COLOUR)
    assert read_header(file) == (9, 6, False)
    np.testing.assert_array_equal(
        decode(ImageFile("g.png", save(tmp_path / "g.png", GREY)), (6, 9, 1))[..., 0], GREY
    )


@pytest.mark.parametrize("form", ["JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM"])
def test_the_content_decides_not_the_name(tmp_path: Path, form: str) -> None:
    flat = np.full((16, 16, 3), (200, 40, 90), np.uint8)
    file = ImageFile("a.jpg", save(tmp_path / "a.jpg", encode(flat, form)))
    assert np.abs(decode(file, (16, 16, 3)).astype(int) - flat).max() <= 4


UPRIGHT: dict[
    int, Callable[[np.ndarray], np.ndarray]
] = {  # by EXIF 2.3, table 4: where row 0 and column 0 are
    1: lambda x: x,
    2: lambda x: x[:, ::-1],
    3: lambda x: x[::-1, ::-1],
    4: lambda x: x[::-1],
    5: lambda x: x.swapaxes(0, 1),
    6: lambda x: x.swapaxes(0, 1)[:, ::-1],
    7: lambda x: x.swapaxes(0, 1)[::-1, ::-1],
    8: lambda x: x.swapaxes(0, 1)[::-1],
}


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_exif_orientation_turns_images_upright(tmp_path: Path, orientation: int, form: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = ImageFile("a", save(tmp_path / "a", encode(COLOUR, form, exif=exif)))
    upright = UPRIGHT[orientation](COLOUR)
    np.testing.assert_array_equal(decode(file, upright.shape), upright)  # type: ignore[arg-type]
    jpeg = ImageFile("b", save(tmp_path / "b", encode(COLOUR, "JPEG", exif=exif)))
    assert read_header(jpeg)[:2] == upright.shape[1::-1]


def test_the_shorter_side_is_scaled_and_the_centre_kept(tmp_path: Path) -> None:
    smooth = Image.fromarray(RNG.integers(256, size=(5, 9, 3), dtype=np.uint8)).resize((80, 40))
    file = ImageFile("a", save(tmp_path / "a", np.asarray(smooth)))
    two_steps = smooth.resize((20, 10), Image.Resampling.BILINEAR).crop((5, 0, 15, 10))
    assert np.abs(decode(file, (10, 10, 3)).astype(int) - np.asarray(two_steps)).max() <= 1
    crop = decode(file, (40, 80, 3), (8.0, 4.0, 48.0, 24.0))
    np.testing.assert_array_equal(crop, smooth.resize((80, 40), Image.Resampling.BILINEAR, (8, 4, 48, 24)))


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (7, 13), (1000, 999)])
@pytest.mark.parametrize("shape", [(1, 1, 3), (8, 8, 1), (5, 9, 3), (64, 64, 3)])
def test_any_size_becomes_any_shape(
    tmp_path: Path, size: tuple[int, int], shape: tuple[int, int, int]
) -> None:
    flat = np.full((*size, 3), (120, 120, 120), np.uint8)
    for form in ("PNG", "JPEG"):
        pixels = decode(ImageFile("a", save(tmp_path / "a", encode(flat, form))), shape)
        assert pixels.shape == shape
        assert np.abs(pixels.astype(int) - 120).max() <= 2


def test_large_jpegs_shrink_to_the_same_picture(tmp_path: Path) -> None:
    """A JPEG may be decoded at an eighth before it is resampled; the picture must stay where it is."""
    smooth = Image.fromarray(RNG.integers(256, size=(4, 6, 3), dtype=np.uint8)).resize((1203, 803))
    content = io.BytesIO()
    smooth.save(content, "JPEG", quality=95)
    pixels = decode(ImageFile("a", save(tmp_path / "a", content.getvalue())), (16, 16, 3))
    whole = smooth.resize((16, 16), Image.Resampling.BILINEAR, (200, 0, 1003, 803))
    assert np.abs(pixels.astype(int) - np.asarray(whole)).mean() < 2


def test_modes_become_the_channels_asked_for(tmp_path: Path) -> None:
    def read_as(channels: int, content: bytes) -> np.ndarray:
        return decode(ImageFile("a", save(tmp_path / "a", content)), (6, 9, channels))

    np.testing.assert_array_equal(read_as(3, encode(GREY)), np.repeat(GREY[..., None], 3, axis=2))
    luma = COLOUR @ np.array([0.299, 0.587, 0.114])  # ITU-R 601-2
    assert np.abs(read_as(1, encode(COLOUR))[..., 0] - luma).max() <= 1
    assert np.abs(read_as(3, encode(COLOUR, "TIFF", "CMYK")).astype(int) - COLOUR).max() <= 2
    assert set(np.unique(read_as(1, encode(GREY, mode="1")))) <= {0, 255}
    alpha = RNG.integers(256, size=(6, 9, 1), dtype=np.uint8)
    blended = (COLOUR * (alpha / 255) + 255 * (1 - alpha / 255)).round()
    seen = read_as(3, encode(np.concatenate([COLOUR, alpha], axis=2)))
    assert np.abs(seen - blended).max() <= 1
    palette = Image.new("P", (9, 6), 1)
    palette.putpalette([10, 20, 30, 40, 50, 60])
    content = io.BytesIO()
    palette.save(content, "PNG", transparency=0)
    np.testing.assert_array_equal(read_as(3, content.getvalue()), np.full((6, 9, 3), (40, 50, 60)))


def test_a_header_may_lie_beyond_the_first_bytes(tmp_path: Path) -> None:
    comment = encode(COLOUR, "JPEG", comment=b"x" * 60_000)
    longer = (
        comment[:2] + b"\xff\xfe\xff\xff" + b"y" * 65_533 + comment[2:]
    )  # a second comment, by the format
    assert len(longer) > HEAD
    assert read_header(ImageFile("a", save(tmp_path / "a", longer))) == (9, 6, False)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "the file is empty"),
        (b"a cat, I swear", "not an image in a known format .* it starts with 61 20 63 61"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "not an image in a known format"),
        (encode(RNG.integers(256, size=(64, 64, 3), dtype=np.uint8), "JPEG")[:2000], "truncated"),
        (encode(RNG.integers(256, size=(64, 64, 3), dtype=np.uint8))[:2000], "a.jpg"),
        (encode(GREY.astype(np.uint16) * 200), "pixel format is 'I;16'; 8 bits"),
        (encode(GREY.astype(np.float32), "TIFF"), "pixel format is 'F'; 8 bits"),
    ],
)
def test_what_is_no_image_is_refused_by_its_path(tmp_path: Path, content: bytes, message: str) -> None:
    path = save(tmp_path / "a.jpg", content)
    with pytest.raises(DataError, match=message) as refusal:
        decode(ImageFile("a.jpg", path), (6, 9, 3))
    assert str(path) in str(refusal.value)
    assert "replace it or remove it" in str(refusal.value)


DAMAGEABLE = [
    encode(RNG.integers(256, size=(24, 20, 3), dtype=np.uint8), form)
    for form in ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
@pytest.mark.filterwarnings("ignore")  # Pillow warns of much that is odd in a file
def test_damaged_images_are_read_or_refused(tmp_path: Path, data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(DAMAGEABLE)))
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) :]
    file = ImageFile("a", save(tmp_path / "a", bytes(content)))
    for work in (lambda: read_header(file), lambda: decode(file, (8, 8, 3))):
        with contextlib.suppress(DataError):
            work()


# Folders


def test_a_folder_of_classes(tmp_path: Path) -> None:
    data = load(fill(tmp_path / "photos", "10 9 dog"))
    assert data.classes == ("9", "10", "dog")
    assert data.shape == (8, 8, 3)
    assert data.name == "photos"
    assert data.notes == ()
    image, target = data.inputs[0], data.classes[data.targets[0]]
    assert target == "10"  # files are in the order of their names, classes in theirs
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.asarray(Image.open(tmp_path / "photos/10/0.png")))


def test_the_index_decodes_one_image_as_all(tmp_path: Path) -> None:
    index = index_folder(fill(tmp_path))
    images = index.read()
    assert images.dtype == np.uint8
    assert len(index) == len(images) == 12
    again = pickle.loads(pickle.dumps(index))
    for i in range(len(index)):
        np.testing.assert_array_equal(again.decode(i), images[i])
    assert list(index.labels.index[:2]) == ["cat/0.png", "cat/1.png"]


def test_parts_keep_their_test_set(tmp_path: Path) -> None:
    raw = read(parts(tmp_path / "a", train=8, val=3, test=2))
    assert (raw.own_test, raw.own_validation) == (4, 6)
    assert list(raw.targets.index[-4:]) == [f"test/{c}/{i}.png" for c in ("cat", "dog") for i in range(2)]
    assert raw.notes == ()
    raw = read(parts(tmp_path / "b", Train=8, Validation=3))
    assert (raw.own_test, raw.own_validation) == (6, 0)
    assert raw.notes == (
        "the 6 validation images are the test set, for there is no other; "
        "a validation split is drawn from the training images",
    )
    assert read(parts(tmp_path / "c", train=8)).own_test == 0


def test_a_validation_folder_is_the_validation_split_of_every_seed(tmp_path: Path) -> None:
    data = load(parts(tmp_path / "a", train=8, val=3, test=2))
    names = read(tmp_path / "a").targets.index
    for seed in (0, 7):
        splits = data.fold(seed).splits
        for part, rows in (("train", splits.train), ("val", splits.validation), ("test", splits.test)):
            assert {name.partition("/")[0] for name in names[rows]} == {part}
    few = load(tmp_path / "a", examples=6)
    np.testing.assert_array_equal(few.splits.validation, data.splits.validation)
    assert {tuple(few.fold(seed).splits.train) for seed in range(9)} > {tuple(few.fold(0).splits.train)}
    assert all(np.isin(few.fold(seed).splits.train, data.splits.train).all() for seed in range(9))
    assert (
        load(parts(tmp_path / "b", train=5, val=1, test=1)).splits.examples == 10
    )  # one of each class will do
    with pytest.raises(DataError, match="8 examples to train on; at least 10"):
        load(parts(tmp_path / "c", train=4, val=9, test=9))


def test_images_are_bytes_until_the_step(tmp_path: Path) -> None:
    data = load(fill(tmp_path / "photos"))
    assert data.inputs.dtype == np.uint8
    assert data.preparation is not None
    rows = np.arange(12)
    seen = data.standardized(rows)[0]
    assert seen.dtype == np.float32
    np.testing.assert_array_equal(seen, data.preparation.transform(read(tmp_path / "photos").inputs))
    in_step = jax.jit(lambda data, fold, rows: step.gather(data, fold, rows))
    np.testing.assert_allclose(in_step(resident(data), fold_of(data), rows), seen, rtol=1e-6, atol=1e-6)


def test_each_channel_is_standardised_by_the_training_images_of_its_fold(tmp_path: Path) -> None:
    data = load(fill(tmp_path / "photos"))
    for fold in (data, data.fold(1), data.fold(2)):
        train = fold.standardized(fold.splits.train)[0].reshape(-1, 3)
        np.testing.assert_allclose(train.mean(axis=0), 0, atol=1e-5)
        np.testing.assert_allclose(train.std(axis=0), 1, rtol=1e-5)
    assert data.preparation is not None
    assert Preparation.from_json(data.preparation.to_json()) == data.preparation
    (pixels, _) = data.preparation.report()
    assert pixels["treatment"].startswith("(0 to 209) standardised by channel: minus ")


def test_bytes_in_grey_are_fractions_to_the_last_bit(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for i in range(6):
            save(tmp_path / name / f"{i}.png", RNG.integers(256, size=(4, 7), dtype=np.uint8))
    data = load(tmp_path)
    assert data.inputs.dtype == np.uint8
    rows = np.arange(12)
    in_step = jax.jit(lambda data, fold, rows: step.gather(data, fold, rows))
    expected = read(tmp_path).inputs.astype(np.float32) * np.float32(1 / 255)
    np.testing.assert_array_equal(in_step(resident(data), fold_of(data), rows), expected)
    assert data.preparation is not None
    np.testing.assert_array_equal(data.preparation.transform(read(tmp_path).inputs), expected)


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    assert load(fill(tmp_path, "car train bus")).classes == ("bus", "car", "train")


def test_folders_around_and_below_the_classes(tmp_path: Path) -> None:
    fill(tmp_path / "download" / "photos")
    (tmp_path / "download" / "photos" / "cat" / "kittens").mkdir()
    save(tmp_path / "download/photos/cat/kittens/1.png", np.zeros((8, 8, 3), np.uint8))
    raw = read(tmp_path)
    assert list(raw.targets.unique()) == ["cat", "dog"]
    assert "download/photos/cat/kittens/1.png" in raw.targets.index


def test_hidden_and_other_files_are_passed_over(tmp_path: Path) -> None:
    fill(tmp_path)
    expected = load(tmp_path).fingerprint
    for name in (".DS_Store", "cat/._0.png", ".thumbs/1.png", "__MACOSX/cat/._0.png"):
        save(tmp_path / name, b"nonsense")
    data = load(tmp_path)
    assert data.fingerprint == expected
    assert data.notes == ()
    save(tmp_path / "cat/notes.txt", b"nonsense")
    save(tmp_path / "README", b"nonsense")
    assert load(tmp_path).notes == ("2 other files not read: README, cat/notes.txt",)


def test_mixed_sizes_and_greys_are_read_in_one_shape_and_noted(tmp_path: Path) -> None:
    fill(tmp_path, side=8)
    save(tmp_path / "cat" / "wide.png", RNG.integers(256, size=(6, 30, 3), dtype=np.uint8))
    save(tmp_path / "dog" / "grey.png", RNG.integers(256, size=(20, 10), dtype=np.uint8))
    raw = read(tmp_path)
    assert raw.inputs.shape == (14, 8, 8, 3)
    assert raw.notes == (
        "grey images (1 of 14) are read as colour, with three equal channels",
        "images of 8×8 ... 10×20 pixels: the shorter side is scaled to 8, the square at the centre is kept; "
        "smaller ones (1) are enlarged",
    )
    grey = raw.inputs[list(raw.targets.index).index("dog/grey.png")]
    assert (grey == grey[..., :1]).all()
    assert read(tmp_path, size=5).inputs.shape == (14, 5, 5, 3)


def test_grey_images_alone_keep_one_channel_and_one_shape_may_be_oblong(tmp_path: Path) -> None:
    for name in ("a", "b"):
        for i in range(6):
            save(tmp_path / name / f"{i}.png", RNG.integers(256, size=(4, 7), dtype=np.uint8))
    raw = read(tmp_path)
    assert raw.inputs.shape == (12, 4, 7, 1)
    assert raw.notes == ()


def test_names_that_are_no_utf8_are_spelled_out(tmp_path: Path) -> None:
    photos = fill(tmp_path / "photos")
    old = os.fsencode(photos)
    try:
        os.rename(old + b"/cat", old + b"/ch\xe2t")
        os.rename(old + b"/dog/0.png", old + b"/dog/m\xfcde.png")
    except OSError:
        pytest.skip("this file system takes UTF-8 alone")
    data = load(photos)
    assert data.classes == (r"ch\xe2t", "dog")
    names, images = read_images(photos)
    assert names[-1] == r"dog/m\xfcde.png"
    assert images.shape == data.inputs.shape
    with tarfile.open(tmp_path / "photos.tar", "w") as tar:
        tar.add(photos, "photos")
    assert load(tmp_path / "photos.tar").classes == data.classes


def test_large_images_are_read_at_224_pixels(tmp_path: Path) -> None:
    fill(tmp_path, count=1, side=300)
    fill(tmp_path, "bird", count=1, side=301)
    assert index_folder(tmp_path).shape == (224, 224, 3)


def link_back(folder: Path) -> None:
    (folder / "cat" / "more").symlink_to(folder, target_is_directory=True)


def link_nowhere(folder: Path) -> None:
    (folder / "cat" / "gone.png").symlink_to(folder / "nowhere.png")


def link_to_itself(folder: Path) -> None:
    (folder / "cat" / "round.png").symlink_to(folder / "cat" / "round.png")


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (link_back, r"cat/more: this link leads back to a folder that contains it; remove the link"),
        (link_nowhere, r"cat/gone\.png: No such file"),
        (link_to_itself, r"cat/round\.png: Too many levels of symbolic links"),
        (
            lambda f: (f / "bird").mkdir(),
            "bird: a class folder without images; add some or remove it",
        ),
        (
            lambda f: save(f / "1.png", COLOUR),
            r"1\.png: its class is not known; put the images of each class",
        ),
        (lambda f: save(f / "cat/x.jpg", b""), r"cat/x\.jpg: the file is empty; replace it or remove it"),
        (lambda f: save(f / "cat/x.tar", b"no tar"), r"cat/x\.tar: not a whole tar file"),
    ],
)
def test_bad_folders_are_refused_with_the_path(
    tmp_path: Path, spoil: Callable[[Path], object], message: str
) -> None:
    folder = fill(tmp_path / "photos")
    spoil(folder)
    with pytest.raises(DataError, match=f"{folder}/{message}"):
        load(folder)


def test_linked_folders_are_followed(tmp_path: Path) -> None:
    fill(tmp_path / "elsewhere", "dog")
    folder = fill(tmp_path / "photos", "cat")
    (folder / "dog").symlink_to(tmp_path / "elsewhere" / "dog", target_is_directory=True)
    (folder / "puppy").symlink_to(tmp_path / "elsewhere" / "dog", target_is_directory=True)  # twice, no loop
    assert load(folder).classes == ("cat", "dog", "puppy")


def test_folders_that_are_no_data_set_are_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"empty: no image in it; give files that end in \.bmp, .*\.webp$"):
        load(tmp_path / "empty")
    with pytest.raises(DataError, match=r"one/train: no images to train on"):
        load(parts(tmp_path / "one", test=6))
    parts(tmp_path / "two", train=6, test=6)
    save(tmp_path / "two" / "extra" / "1.png", COLOUR)
    with pytest.raises(DataError, match=r"two/extra/1\.png: not in train, validation or test"):
        load(tmp_path / "two")
    parts(tmp_path / "three", train=6, test=2)
    fill(tmp_path / "three" / "test", "bird", 1)
    with pytest.raises(DataError, match="class 'bird' has 0 example"):
        load(tmp_path / "three")
    parts(tmp_path / "four", train=6, test=2)
    (tmp_path / "four" / "test" / "dog" / "sub").mkdir()
    (tmp_path / "four" / "train" / "bird").mkdir()
    with pytest.raises(DataError, match=r"four/train/bird: a class folder without images"):
        load(tmp_path / "four")
    for i in range(3):
        save(tmp_path / "flat" / f"{i}.png", COLOUR)
    with pytest.raises(DataError, match=r"flat/0\.png: its class is not known \(and 2 more\)"):
        load(tmp_path / "flat")
    save(tmp_path / "flat" / "labels.csv", b"path,label")
    with pytest.raises(DataError, match=r"is .*flat/labels\.csv a list of them\?"):
        load(tmp_path / "flat")
    with pytest.raises(DataError, match=r"0\.png: a single image is not a data set"):
        load(tmp_path / "flat" / "0.png")


def test_an_unreadable_folder_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path)
    scan = os.scandir

    def deny(path: Path) -> object:
        if Path(path).name == "dog":
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", deny)
    with pytest.raises(DataError, match=r"/dog: Permission denied; make it readable"):
        load(tmp_path)


def test_all_bad_images_are_counted_and_the_first_named(tmp_path: Path) -> None:
    fill(tmp_path)
    for name in ("cat/1.png", "dog/0.png", "dog/3.png"):
        content = (tmp_path / name).read_bytes()
        (tmp_path / name).write_bytes(content[: len(content) - 40])  # the header is whole
    with pytest.raises(DataError, match=r"cat/1\.png: .* \(3 of 12 images cannot be read\)"):
        load(tmp_path)
    (tmp_path / "dog" / "2.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"dog/2\.png: the file is empty; replace it or remove it$"):
        load(tmp_path)


def test_threads_keep_the_order_and_only_data_errors_wait() -> None:
    assert in_threads(lambda i: i * i, range(1000)) == [i * i for i in range(1000)]

    def fail(i: int) -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        in_threads(fail, range(1000))


def test_more_than_the_memory_is_streamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(tmp_path, side=8)
    needed = 12 * 8 * 8 * 3 * 2
    monkeypatch.setenv("TRAINWRIGHT_MEMORY", str(needed / memory.GIGABYTE))
    assert isinstance(load(tmp_path).inputs, np.ndarray)
    monkeypatch.setenv("TRAINWRIGHT_MEMORY", str(0.5 * needed / memory.GIGABYTE))
    data = load(tmp_path)
    assert isinstance(data.inputs, Streamed)
    assert data.shape == (8, 8, 3)
    assert isinstance(read_images(tmp_path)[1], Streamed)
    assert isinstance(load(tmp_path, size=5).inputs, np.ndarray)
    for wrong in ("lots", "-1", "nan", "0"):
        monkeypatch.setenv("TRAINWRIGHT_MEMORY", wrong)
        with pytest.raises(SettingError, match="gigabytes as a positive number"):
            load(tmp_path)


def test_half_of_the_memory_is_the_bound(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("TRAINWRIGHT_MEMORY", raising=False)
    monkeypatch.setattr(memory, "CGROUP", save(tmp_path / "max", b"1000000\n"))
    assert memory.bound() == 500_000
    monkeypatch.setattr(memory, "CGROUP", save(tmp_path / "max", b"max\n"))
    assert memory.bound() > 10**8


# Lists


def listed(tmp_path: Path, table: pd.DataFrame, name: str = "labels.csv") -> Path:
    fill(tmp_path / "pictures")
    table.to_csv(tmp_path / name, index=False)
    return tmp_path / name


PATHS = [f"pictures/{c}/{i}.png" for i in range(6) for c in ("cat", "dog")]
LABELLED = pd.DataFrame({"path": PATHS, "animal": ["cat", "dog"] * 6})


def test_a_list_reads_as_the_folder_does(tmp_path: Path) -> None:
    data = load(listed(tmp_path, LABELLED))
    folder = load(tmp_path / "pictures")
    assert data.classes == folder.classes
    order = [f"pictures/{name}" for name in read(tmp_path / "pictures").targets.index]
    raw = read(tmp_path / "labels.csv")
    np.testing.assert_array_equal(
        raw.inputs[[list(raw.targets.index).index(name) for name in order]],
        read(tmp_path / "pictures").inputs,
    )


def test_a_list_may_have_several_labels_and_a_split(tmp_path: Path) -> None:
    split = ["train"] * 10 + ["test"] * 2
    table = LABELLED.assign(split=split, weight=np.linspace(0.5, 9, 12))
    path = listed(tmp_path, table)
    with pytest.raises(
        DataError, match=r"labels\.csv: which label .* name it as target; labels: animal, weight"
    ):
        load(path)
    with pytest.raises(DataError, match=r"no label 'wieght'; did you mean 'weight'\?"):
        load(path, target="wieght")
    raw = read(path, target="weight")
    assert raw.own_test == 2
    assert load(path, target="weight").task == "regression"
    assert load(path, target="animal").task == "classification"


def test_listed_images_may_belong_together(tmp_path: Path) -> None:
    patients = [i // 4 for i in range(12)]
    path = listed(tmp_path, LABELLED.assign(patient=patients, split="train"))
    raw = read(path, group="patient")  # one label is left, so it need not be named
    assert raw.targets.name == "animal"
    assert raw.groups is not None
    assert raw.groups.tolist() == patients
    with pytest.raises(
        DataError, match=r"labels\.csv: no column 'patent' to group by; did you mean 'patient'"
    ):
        read(path, target="animal", group="patent")
    path = listed(tmp_path, LABELLED.assign(patient=patients, split=["train"] * 10 + ["test"] * 2))
    with pytest.raises(DataError, match="it comes with a test set"):
        read(path, group="patient")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (
            LABELLED.replace("pictures/dog/2.png", "pictures/dog/22.png"),
            "line 7, column 'path': .*22.png': no such",
        ),
        (LABELLED.replace("pictures/dog/2.png", "pictures/cat/2.png"), "line 7, .* is listed a second time"),
        (
            LABELLED.replace("pictures/dog/2.png", "./pictures//cat/2.png"),
            "line 7, .* is listed a second time",
        ),
        (
            LABELLED.replace("pictures/dog/2.png", "pictures/dog/2.xyz"),
            "line 7, column 'path': 'pictures/dog/2.xyz' where the name of an image belongs",
        ),
        (
            LABELLED.replace("pictures/dog/2.png", None),
            "line 7, column 'path': an empty cell where the name of an image belongs",
        ),
        (LABELLED[["path"]], "no column of labels beside the images' paths"),
        (LABELLED.replace("cat", None), "image pictures/cat/0.png, column 'animal': the target is missing"),
    ],
)
def test_bad_lists_are_refused_with_the_line(tmp_path: Path, table: pd.DataFrame, message: str) -> None:
    with pytest.raises(DataError, match=rf"labels\.csv: {message}"):
        load(listed(tmp_path, table))


@pytest.mark.parametrize(("columns", "names"), [(["path"], "image"), (["path", "animal"], "image,label")])
def test_a_list_without_a_line_of_names_loses_no_image(
    tmp_path: Path, columns: list[str], names: str
) -> None:
    path = listed(tmp_path, LABELLED[columns], "list.txt")
    path.write_text("".join(path.read_text().splitlines(keepends=True)[1:]))
    message = rf"list\.txt: line 1: 'pictures/cat/0\.png' is an image .* above it, such as {names}$"
    for reading in (load, read_images):
        with pytest.raises(DataError, match=message):
            reading(path)


def test_one_flaw_in_five_rows_is_a_flaw(tmp_path: Path) -> None:
    path = listed(tmp_path, LABELLED.iloc[[0, 1, 2, 6, 7]].replace("pictures/cat/1.png", "cat"))
    with pytest.raises(DataError, match="where the name of an image belongs"):
        load(path)


def test_a_text_may_be_longer_than_a_file_s_name(tmp_path: Path) -> None:
    table = LABELLED.assign(path=["x" * 300 + ".png"] * 12)
    assert open_images(listed(tmp_path, table)) is None


def test_a_table_that_merely_names_pictures_stays_a_table(tmp_path: Path) -> None:
    table = pd.DataFrame({"photo": [f"{i}.jpg" for i in range(30)], "x": range(10, 40), "y": ["a", "b"] * 15})
    table.to_csv(tmp_path / "t.csv", index=False)
    assert open_images(tmp_path / "t.csv") is None
    assert load(tmp_path / "t.csv", target="y").shape == (1,)


# Shards


def pack(path: Path, members: dict[str, bytes]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def pictures(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*.png"))}


def test_a_shard_reads_as_the_folder_does(tmp_path: Path) -> None:
    folder = parts(tmp_path / "photos", train=6, test=2)
    expected = load(folder).fingerprint
    assert load(pack(tmp_path / "photos.tar", pictures(folder))).fingerprint == expected
    assert load(pack(tmp_path / "p.tar", {f"./p/{n}": c for n, c in pictures(folder).items()})).classes
    for part in ("train", "test"):
        pack(tmp_path / "shards" / f"photos-{part}-0000.tar", pictures(folder / part))
    assert read(tmp_path / "shards").own_test == 4
    for part in ("train", "test"):
        pack(tmp_path / "more" / part / "0000.tar", pictures(folder / part))
    assert load(tmp_path / "more").fingerprint == expected


def test_labels_beside_the_images(tmp_path: Path) -> None:
    images = list(pictures(fill(tmp_path / "photos")).values())
    members = {}
    for i, image in enumerate(images):
        members |= {
            f"{i:04}.png": image,
            f"{i:04}.cls": str(i % 2 * 11).encode(),
            f"{i:04}.txt": b"a caption",
        }
    raw = read(pack(tmp_path / "train-0.tar", members))
    assert list(raw.targets) == ["0", "11"] * 6
    assert list(raw.targets.cat.categories) == ["0", "11"]
    text = {name.replace(".cls", ".x"): content for name, content in members.items()}
    text |= {f"{i:04}.txt": b"cat\n" if i % 2 else b"dog\n" for i in range(12)}
    assert list(read(pack(tmp_path / "t.tar", text)).targets) == ["dog", "cat"] * 6
    del members["0003.cls"], members["0003.txt"]
    with pytest.raises(DataError, match=r"train-0\.tar: 0003\.png: its class is not known;"):
        load(pack(tmp_path / "train-0.tar", members))


def test_imagenet_s_tar_files_are_classes(tmp_path: Path) -> None:
    for wnid in ("n01440764", "n02102040"):
        flat = {f"{wnid}_{i}.JPEG": encode(COLOUR, "JPEG") for i in range(6)}
        pack(tmp_path / "train" / f"{wnid}.tar", flat)
        pack(tmp_path / "val" / f"{wnid}.tar", flat)
    raw = read(tmp_path)
    assert list(raw.targets.cat.categories) == ["n01440764", "n02102040"]
    assert raw.own_test == 12
    assert raw.targets.index[0] == "train/n01440764.tar/n01440764_0.JPEG"


def test_members_that_are_no_images_are_never_followed(tmp_path: Path) -> None:
    members = pictures(fill(tmp_path / "photos"))
    with tarfile.open(pack(tmp_path / "a.tar", members), "a") as tar:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE):
            member = tarfile.TarInfo(f"cat/{kind.decode()}.png")
            member.type, member.linkname = kind, "/etc/passwd"
            tar.addfile(member)
    assert len(read(tmp_path / "a.tar").targets) == 12


def test_damaged_shards_are_refused(tmp_path: Path) -> None:
    members = pictures(fill(tmp_path / "photos"))
    path = pack(tmp_path / "a.tar", members)
    content = path.read_bytes()
    path.write_bytes(content[:5000])
    with pytest.raises(DataError, match=r"a\.tar: not a whole tar file"):
        load(path)
    save(tmp_path / "b.tar.gz", b"")
    with pytest.raises(DataError, match=r"b\.tar\.gz: a compressed tar file can't be read at random"):
        load(tmp_path / "b.tar.gz")
    members["cat/3.png"] = members["cat/3.png"][:60]
    with pytest.raises(DataError, match=r"a\.tar: cat/3\.png: .*; replace it or remove it"):
        load(pack(path, members))
    with pytest.raises(DataError, match="a label that is not UTF-8"):
        load(pack(path, members | {"cat/3.cls": b"\xff\xfe"}))


# Predicting


def test_images_to_predict_for(tmp_path: Path) -> None:
    fill(tmp_path / "photos")
    names, images = read_images(tmp_path / "photos")
    assert names[:2] == ["cat/0.png", "cat/1.png"]
    np.testing.assert_array_equal(images, read(tmp_path / "photos").inputs)
    assert read_images(tmp_path / "photos", (4, 6, 3))[1].shape == (12, 4, 6, 3)
    assert read_images(tmp_path / "photos", (4, 6))[1].shape == (12, 4, 6)  # a model of MNIST
    assert read_images(tmp_path / "photos/cat/0.png")[0] == ["0.png"]
    for folder, shape, message in [
        ("nowhere", None, "nowhere: no such folder"),
        ("photos", (4,), r"the model takes inputs of shape \(4,\)"),
        ("photos", (4, 4, 5), "which images don't have"),
    ]:
        with pytest.raises(DataError, match=message):
            read_images(tmp_path / folder, shape)
    listed = tmp_path / "photos/list.csv"
    listed.write_text("file,class\ndog/1.png,dog\ncat/0.png,\ndog/1.png,?\n")
    names, images = read_images(listed, (4, 6, 3))
    assert names == ["dog/1.png", "cat/0.png", "dog/1.png"]  # in its order, labelled or not, twice or not
    np.testing.assert_array_equal(images[0], images[2])
    np.testing.assert_array_equal(images[1], read_images(tmp_path / "photos/cat/0.png", (4, 6, 3))[1][0])
    listed.write_text("file\ncat/0.png\ncat/none.png\n")
    with pytest.raises(DataError, match=r"list\.csv: line 3, column 'file': 'cat/none\.png': no such file"):
        read_images(listed)
    listed.unlink()
    save(tmp_path / "empty" / "a.heic", b"")
    with pytest.raises(DataError, match=r"empty: no image in it \(but a\.heic\); give files that end in"):
        read_images(tmp_path / "empty")
    save(tmp_path / "photos/cat/1.png", b"?")
    with pytest.raises(DataError, match=r"cat/1\.png: not an image in a known format"):
        read_images(tmp_path / "photos", (4, 4, 3))


def test_a_folder_from_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from trainwright.cli import main

    def run(*words: object) -> int:
        monkeypatch.setattr(sys, "argv", ["trainwright", *map(str, words), "--quiet"])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0)

    folder, model, out = fill(tmp_path / "photos", count=20), tmp_path / "model", tmp_path / "predictions.csv"
    assert run("fit", folder, "--size", 4, "--out", model, "--epochs", 20, "--network", "mlp((8,))") == 0
    assert run("predict", model, folder, "--out", out) == 0
    table = pd.read_csv(out)
    assert list(table) == ["image", "prediction", "probability of cat", "probability of dog"]
    assert list(table["image"][:2]) == ["cat/0.png", "cat/1.png"]
    assert (table["prediction"] == table["image"].str[:3]).mean() > 0.9
    assert run("predict", model, folder / "dog" / "1.png", "--out", out) == 0
    assert run("predict", model, tmp_path / "gone.png") == 3


def test_sizes_are_for_images(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no known data set or file"):
        load("photoss", size=4)
    with pytest.raises(SettingError, match="size=4 applies to folders of image files"):
        load("digits", size=4)
    with pytest.raises(SettingError, match="size=0"):
        load(fill(tmp_path), size=0)
    with pytest.raises(DataError):
        read_inputs(tmp_path)


def test_data_without_images_imports_no_decoder() -> None:
    code = (
        "import sys; from trainwright.data import load; load(([[1], [2]] * 9, [0, 1] * 9)); "
        "sys.exit('PIL' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0

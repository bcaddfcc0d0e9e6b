"""The feed: images that stay in their files are trained on as those in memory are, to the last bit."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pandas as pd
import pytest
from PIL import Image

from trainwright import Recipe, strategies
from trainwright.base.errors import DataError
from trainwright.baselines import Guess, Linear
from trainwright.data import Dataset, load, read_images, streamed
from trainwright.data.readers import memory
from trainwright.data.streamed import Streamed, blocks, in_blocks
from trainwright.model import Model
from trainwright.networks.mlp import Mlp
from trainwright.runs.run import Run
from trainwright.strategy import Strategy
from trainwright.training import building, predict
from trainwright.training.batches import order
from trainwright.training.building import Training
from trainwright.training.fit import fit, fit_all
from trainwright.training.progress import Progress

RNG = np.random.default_rng(0)
SIDE, BYTES = 6, 6 * 6 * 3


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 images of three classes, each of its own colour and much noise."""
    folder = tmp_path_factory.mktemp("photos")
    for number, name in enumerate(("bird", "cat", "dog")):
        (folder / name).mkdir()
        for i in range(40):
            pixels = RNG.integers(200, size=(SIDE, SIDE, 3), dtype=np.uint8)
            pixels[..., number] += 25
            Image.fromarray(pixels).save(folder / name / f"{i}.png")
    return folder


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """The images are more than may be kept in memory, and a block holds three steps of eight images."""
    assert streamed.BLOCKS * 24 < memory.COPIES * 120
    monkeypatch.setenv("TRAINWRIGHT_MEMORY", str(streamed.BLOCKS * 24 * BYTES / memory.GIGABYTE))


def both(folder: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Dataset, Dataset]:
    """The data in memory, and streamed."""
    with monkeypatch.context() as patched:
        patched.delenv("TRAINWRIGHT_MEMORY", raising=False)
        resident = load(folder)
    return resident, load(folder)


def assert_equal(first: Run, second: Run) -> None:
    """Two runs, to the last bit."""
    for name in ("history", "predictions", "weights"):
        one, other = getattr(first, name), getattr(second, name)
        assert list(one) == list(other)
        for key in one:
            np.testing.assert_array_equal(one[key], other[key], err_msg=f"{name}: {key}")
    assert (first.steps, first.best_step, first.status) == (second.steps, second.best_step, second.status)


def test_streamed_images_are_an_array_of_bytes(
    photos: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident, fed = both(photos, monkeypatch)
    assert isinstance(fed.inputs, Streamed)
    assert fed.inputs.shape == resident.inputs.shape
    assert fed.notes[-1].startswith("120 images of 6×6×3 need")
    assert fed.notes[-1].endswith("TRAINWRIGHT_MEMORY sets the limit in gigabytes")
    for rows in (np.array([5, 3, 5, 119]), slice(7, 11), slice(0, 0)):
        np.testing.assert_array_equal(fed.inputs[rows], resident.inputs[rows])
    np.testing.assert_array_equal(fed.standardized(np.arange(9))[0], resident.standardized(np.arange(9))[0])
    assert fed.fold(3).inputs is fed.inputs
    np.testing.assert_array_equal(fed.fold(3).splits.test, resident.fold(3).splits.test)


def test_the_fingerprint_is_the_files_and_not_the_place(
    photos: Path, small_blocks: None, tmp_path: Path
) -> None:
    import shutil

    copy = shutil.copytree(photos, tmp_path / "copy")
    assert load(copy).fingerprint == load(photos).fingerprint
    assert load(copy, size=5).fingerprint != load(photos).fingerprint
    Image.new("RGB", (SIDE, SIDE)).save(copy / "cat" / "3.png")
    assert load(copy).fingerprint != load(photos).fingerprint


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8, 40])
def test_blocks_are_the_images_of_their_rows(photos: Path, small_blocks: None, size: int) -> None:
    images = load(photos).inputs
    assert isinstance(images, Streamed)
    rows = order(0, "order", np.arange(120), batch=8, first=4, steps=10).reshape(-1)
    parts = np.split(rows, range(size, len(rows), size))
    for block, part in zip(blocks(images, parts), parts, strict=True):
        np.testing.assert_array_equal(block, images[part])


@pytest.mark.parametrize("items", [1, 2, 3, 7, 12, 97, 100])
@pytest.mark.parametrize("room", [1, 2, 5, 30, 200])
def test_blocks_fit_and_have_two_lengths_at_most(items: int, room: int) -> None:
    parts = in_blocks(np.arange(items), streamed.block_bytes() // room)
    np.testing.assert_array_equal(np.concatenate(parts), np.arange(items))
    lengths = {len(part) for part in parts}
    assert max(lengths) <= max(room, 3)
    assert min(lengths) >= min(items, 2)
    assert max(lengths) - min(lengths) <= 1


RECIPES: dict[str, tuple[str, int]] = {
    "plain": ("", 1),
    "batch norm": ("batch_norm, momentum(0.9)", 1),
    "dropout, early stopping": ("dropout(hidden_rate=0.3), early_stopping(patience=1)", 1),
    "a cohort": ("batch_norm, noise(input_std=0.1)", 4),
    "augmented, retrained on all": ("mirror, early_stopping(patience=1, retrain='anew')", 1),
}


@pytest.mark.parametrize("name", RECIPES)
def test_a_training_from_the_feed_is_the_training_in_memory(
    photos: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text, width = RECIPES[name]
    recipe = Recipe(Mlp((8,)), tuple(strategies.read(text)), learning_rate=0.05, batch_size=8, epochs=3)
    runs = [
        [run for _, run in fit_all([Training(recipe, data.fold(s), s) for s in range(width)], width=width)]
        for data in both(photos, monkeypatch)
    ]
    for resident, fed in zip(*runs, strict=True):
        assert_equal(resident, fed)


class Memory:
    """Checkpoints in memory, written after every evaluation."""

    def __init__(self) -> None:
        self.kept: dict[int, tuple[dict, dict]] = {}

    def due(self) -> bool:
        return True

    def read(self, key: Training) -> tuple[dict, dict] | None:
        return self.kept.get(key.seed)

    def write(self, key: Training, arrays: dict, notes: dict) -> None:
        self.kept[key.seed] = arrays, notes

    def pretrained(self, digest: str, make: object) -> object:
        raise NotImplementedError


def test_a_stopped_training_resumes_in_the_feed(
    photos: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    resident, fed = both(photos, monkeypatch)
    recipe = Recipe(
        Mlp((8,)),
        tuple(strategies.read("dropout(hidden_rate=0.3)")),
        batch_size=8,
        epochs=4,
        learning_rate=0.1,
    )
    kept = Memory()

    def stop(progress: Progress) -> None:
        if progress.step >= progress.length / 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(recipe, fed, watch=stop, checkpoints=kept)
    seen: list[int] = []
    again = fit(recipe, fed, watch=lambda progress: seen.append(progress.step), checkpoints=kept)
    assert len(seen) == 2
    assert_equal(again, fit(recipe, resident))


def test_memory_is_bounded_whatever_the_number_of_images(photos: Path, small_blocks: None) -> None:
    images = load(photos).inputs
    assert isinstance(images, Streamed)
    lock, decoded, taken, ahead = threading.Lock(), 0, 0, 0

    class Counting:
        shape = images.files.shape
        digest = images.files.digest

        def __len__(self) -> int:
            return len(images)

        def decode(self, i: int) -> np.ndarray:
            nonlocal decoded, ahead
            with lock:
                decoded += 1
                ahead = max(ahead, decoded - taken)
            return images.files.decode(i)

    rows = np.tile(np.arange(120), 20)
    for block in blocks(Streamed(Counting()), np.split(rows, 100)):
        taken += len(block)
    assert decoded == 2400
    assert ahead <= 4 * 24  # a block that is read ahead, one that is put together, and what threads are at


def test_a_damaged_image_is_named_when_its_turn_comes(
    photos: Path, small_blocks: None, tmp_path: Path
) -> None:
    import shutil

    copy = shutil.copytree(photos, tmp_path / "copy")
    path = copy / "cat" / "3.png"
    data = load(copy)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=rf"^{path}: .*; replace it or remove it"):
        fit(Recipe(Mlp((4,)), batch_size=8, epochs=1), data)
    with pytest.raises(DataError, match=rf"^{path}: .*; replace it or remove it"):
        load(copy)  # the channels' statistics are the first to see it


def test_what_needs_all_images_says_so(photos: Path, small_blocks: None) -> None:
    data = load(photos)
    pretrained: tuple[Strategy, ...] = tuple(strategies.read("activation('sigmoid'), rbm(epochs=1)"))
    with pytest.raises(DataError, match=r"rbm needs all images in memory.*TRAINWRIGHT_MEMORY"):
        fit(Recipe(Mlp((8,)), pretrained), data)
    with pytest.raises(DataError, match="the baseline linear needs all images in memory"):
        Linear().fit(data)
    assert Guess().fit(data).predictions["test"].shape == (24, 3)


def test_predicting_streams(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TRAINWRIGHT_MEMORY", raising=False)
    data = load(photos)
    model = Model.of(fit(Recipe(Mlp((8,)), batch_size=8, epochs=2), data), data)
    names, images = read_images(photos, model.shape)
    expected = model.table(images)
    monkeypatch.setenv("TRAINWRIGHT_MEMORY", str(streamed.BLOCKS * 4 * 5 * BYTES / memory.GIGABYTE))
    streamed_names, stream = read_images(photos, model.shape)
    assert isinstance(stream, Streamed)
    assert streamed_names == names
    pd.testing.assert_frame_equal(model.table(stream), expected, rtol=1e-5)
    assert model.preparation.notes(stream) == model.preparation.notes(images)


def test_predicting_compiles_once_for_all_blocks(
    photos: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    data = load(photos)
    recipe = Recipe(Mlp((8,)), (strategies.Crops(10),), batch_size=8, epochs=1)
    model = Model.of(fit(recipe, data), data)
    monkeypatch.setenv("TRAINWRIGHT_MEMORY", str(streamed.BLOCKS * 4 * 5 * BYTES / memory.GIGABYTE))
    _, stream = read_images(photos, model.shape)
    with jax.log_compiles():
        model.predict(stream)  # 30 blocks
    compiled = [record for record in caplog.records if "Finished XLA compilation" in record.getMessage()]
    assert len(compiled) < 30


def test_predicting_bounds_the_activations(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = load(photos)
    model = Model.of(fit(Recipe(Mlp((32,)), batch_size=8, epochs=1), data), data)
    _, images = read_images(photos, model.shape)
    expected = model.predict(images)
    seen: list[int] = []
    views = predict.views

    def counted(*given: Any) -> Any:
        seen.append(len(given[2]))
        return views(*given)

    monkeypatch.setattr(building, "CHUNK_BYTES", 10 * 4 * (SIDE * SIDE * 3 + 32))
    monkeypatch.setattr(predict, "views", counted)
    np.testing.assert_allclose(model.predict(images), expected, rtol=1e-5)
    assert max(seen) <= 10


def test_the_limit_counts_both_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRAINWRIGHT_MEMORY", str(2 * 120 * BYTES / memory.GIGABYTE))
    assert memory.fits(120, (SIDE, SIDE, 3))
    assert not memory.fits(121, (SIDE, SIDE, 3))


def test_results_do_not_depend_on_how_many_threads_decode(
    photos: Path, small_blocks: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = load(photos).inputs
    assert isinstance(images, Streamed)
    parts = np.split(RNG.permutation(120), 5)
    read = []
    for count in (1, 7):
        monkeypatch.setattr(streamed, "cores", lambda count=count: count)
        read.append(np.concatenate(list(blocks(images, parts))))
    np.testing.assert_array_equal(*read)

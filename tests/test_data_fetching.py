"""Fetching: the order of the sources, and that nothing damaged reaches the cache."""

from __future__ import annotations

import gzip
import hashlib
import multiprocessing
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import test_data_files
from trainwright.base.cache import cache_folder
from trainwright.base.errors import DataError
from trainwright.data import fetching, load
from trainwright.data.fetching import FileSet, Unavailable, fetch

CONTENT = {"train-images-idx3-ubyte": b"pixels" * 100, "train-labels-idx1-ubyte": b"labels" * 10}
SUMS = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENT.items()}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TRAINWRIGHT_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def good(temporary: Path, packed: bool = True) -> Path:
    folder = temporary / "some" / "depth"
    folder.mkdir(parents=True)
    for name, content in CONTENT.items():
        (folder / (name + ".gz" * packed)).write_bytes(gzip.compress(content) if packed else content)
    return temporary


def damaged(temporary: Path, how: Callable[[bytes], bytes]) -> Path:
    good(temporary)
    path = next(temporary.rglob("train-labels*"))
    path.write_bytes(how(path.read_bytes()))
    return temporary


def offline(temporary: Path) -> Path:
    raise Unavailable("no network")


def never(temporary: Path) -> Path:
    raise AssertionError("a source was asked although another had the files")


def file_set(*retrievers: fetching.Retrieve) -> FileSet:
    return FileSet("tiny", SUMS, tuple((f"source {i}", r) for i, r in enumerate(retrievers)))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("packed", [True, False])
def test_sources_are_asked_in_order_until_one_has_the_files(cache: Path, packed: bool) -> None:
    folder = fetch(file_set(offline, partial(good, packed=packed), never))
    assert folder == cache / "tiny" == cache_folder() / "tiny"
    assert contents(folder) == CONTENT
    assert fetch(file_set(never)) == folder


@pytest.mark.parametrize(
    "how",
    [
        lambda content: content[:-4],
        lambda content: b"",
        lambda content: gzip.compress(b"something else"),
        lambda content: content[:-1] + bytes([content[-1] ^ 1]),
    ],
)
def test_damaged_download_leaves_nothing_in_the_cache(cache: Path, how: Callable[[bytes], bytes]) -> None:
    with pytest.raises(DataError, match=r"source 0: .*train-labels"):
        fetch(file_set(partial(damaged, how=how)))
    assert [path.name for path in cache.iterdir()] == ["tiny.lock"]
    assert contents(fetch(file_set(partial(damaged, how=how), good))) == CONTENT


def test_interrupted_download_leaves_nothing_that_counts(cache: Path) -> None:
    def interrupted(temporary: Path) -> Path:
        good(temporary)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(file_set(interrupted))
    assert [path.name for path in cache.iterdir()] == ["tiny.lock"]
    (cache / ".tiny-left-by-a-killed-process").mkdir()
    fetch(file_set(good))
    assert sorted(path.name for path in cache.iterdir()) == ["tiny", "tiny.lock"]


def test_damage_in_the_cache_is_seen_and_mended(cache: Path) -> None:
    path = fetch(file_set(good)) / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes().replace(b"p", b"q", 1))
    assert contents(fetch(file_set(good))) == CONTENT


def test_when_all_fail_the_message_says_how_to_do_it_by_hand(cache: Path) -> None:
    with pytest.raises(DataError) as refusal:
        fetch(file_set(offline))
    message = str(refusal.value)
    assert "source 0: no network" in message
    assert str(cache / "tiny") in message
    assert all(name in message for name in CONTENT)
    (cache / "tiny").mkdir()
    good(cache / "tiny")
    assert CONTENT.items() <= {p.name: p.read_bytes() for p in fetch(file_set(never)).glob("*ubyte")}.items()


def test_cache_that_cannot_be_written_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("TRAINWRIGHT_CACHE", str(tmp_path / "file"))
    with pytest.raises(DataError, match="set TRAINWRIGHT_CACHE"):
        fetch(file_set(good))


def test_two_processes_fetch_once(cache: Path) -> None:
    context = multiprocessing.get_context("spawn")
    with context.Pool(2) as pool:
        folders = pool.map(fetch, [file_set(good)] * 2, chunksize=1)
    assert set(folders) == {cache / "tiny"}
    assert contents(cache / "tiny") == CONTENT


def test_mirror_and_commands_that_fail_are_unavailable(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="not reachable"):
        fetching.mirror("http://127.0.0.1:9/", ("a",), tmp_path)
    with pytest.raises(Unavailable, match="not installed"):
        fetching.run_command("no-such-command", folder=tmp_path)
    with pytest.raises(Unavailable, match="false"):
        fetching.run_command("false", folder=tmp_path)


@pytest.mark.parametrize(("ci", "outcome"), [("true", "1 failed"), ("", "1 skipped"), ("false", "1 skipped")])
def test_a_test_without_its_data_is_skipped_but_fails_in_ci(tmp_path: Path, ci: str, outcome: str) -> None:
    (tmp_path / "test_needs_data.py").write_text(
        "from trainwright.data.fetching import NotFetched\n"
        "def test_needs_data():\n    raise NotFetched('mnist could not be downloaded')\n"
    )
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-p",
        "conftest",
        str(tmp_path),
    ]
    environment = os.environ | {
        "CI": ci,
        "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path]),
    }
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert outcome in done.stdout, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist"])
def test_named_sets_keep_their_test_set(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels = np.tile(np.arange(10, dtype=np.uint8), 6)
    files = {}
    for part, y in (("train", labels), ("t10k", labels[:10])):
        images = rng.integers(256, size=(len(y), 28, 28)).astype(np.uint8)
        files[f"{part}-images-idx3-ubyte"] = test_data_files.idx(images)
        files[f"{part}-labels-idx1-ubyte"] = test_data_files.idx(y)

    def local(temporary: Path) -> Path:
        for file, content in files.items():
            (temporary / file).write_bytes(content)
        return temporary

    sums = {file: hashlib.sha256(content).hexdigest() for file, content in files.items()}
    monkeypatch.setitem(fetching.SETS, name, FileSet(name, sums, (("local", local),)))
    data = load(name)
    assert data.shape == (28, 28)
    assert [len(p) for p in (data.splits.train, data.splits.validation, data.splits.test)] == [50, 10, 10]
    assert data.splits.test.tolist() == list(range(60, 70))
    assert data.targets[:10].tolist() == list(range(10))
    assert data.classes[8] == {"mnist": "8", "fashion_mnist": "Bag"}[name]
    assert data.source == str(cache_folder() / name)

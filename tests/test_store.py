"""The store keeps what it is given, whole or not at all, and notices every change."""

import errno
import json
import math
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trainwright.base import files
from trainwright.base.errors import StoreError
from trainwright.runs import stored_arrays
from trainwright.runs.run import Run
from trainwright.runs.store import DamagedRun, Store, digest


def make_run(seed: int = 0, **changes) -> Run:
    rng = np.random.default_rng(seed)
    run = Run(
        recipe={"network": {"name": "mlp", "widths": [8, 8]}, "strategies": [], "learning_rate": 0.1},
        data={"name": "toy", "fingerprint": "ba89", "task": "classification", "classes": ["nan", "b"]},
        seed=seed,
        status="finished",
        steps=30,
        best_step=20,
        parameters=12,
        seconds=0.25,
        memory_bytes=2**34,
        environment={"jax": "0.10.2", "device": "cpu", "NPROC": "1", "cores": 2},
        history={
            "step": np.array([10, 20, 30]),
            "train_loss": rng.random(3),
            "validation_loss": np.array([0.1, np.nan, np.inf]),
            "validation_error": rng.random(3),
        },
        predictions={
            "validation": rng.normal(size=(4, 2)).astype(np.float32),
            "validation_targets": np.array([0, 1, 1, 0], np.int32),
            "test": rng.normal(size=(3, 2)).astype(np.float32),
            "test_targets": np.array([1, 1, 0], np.int32),
        },
        weights={"layers/0/kernel": rng.normal(size=(3, 2)).astype(np.float32).T, "scale": np.array(2.0)},
    )
    return replace(run, **changes)


def name_of(run: Run) -> str:
    return digest(run.recipe, run.data["fingerprint"], run.seed)


def assert_same(one: Run, other: Run) -> None:
    for field in fields(Run):
        left, right = getattr(one, field.name), getattr(other, field.name)
        if field.name in ("history", "predictions", "weights"):
            assert left.keys() == right.keys()
            for key in left:
                np.testing.assert_array_equal(left[key], right[key], strict=True)
        else:
            assert left == right


# --- the digest

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
recipes = st.dictionaries(st.text(), json_values, max_size=4)


@settings(max_examples=60, deadline=None)
@given(recipes, st.integers(0, 2**32))
def test_digest_depends_on_the_value_alone(recipe, seed):
    reordered = json.loads(json.dumps(dict(reversed(recipe.items()))))
    assert digest(recipe, "data", seed) == digest(reordered, "data", seed)
    assert len(digest(recipe, "data", seed)) == 20


@settings(max_examples=60, deadline=None)
@given(recipes, recipes)
def test_digest_tells_recipes_apart(one, other):
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    assert (digest(one, "data", 0) == digest(other, "data", 0)) == same


@settings(max_examples=60, deadline=None)
@given(recipes, st.text(min_size=1), json_values)
def test_digest_changes_with_any_part(recipe, key, value):
    base = digest(recipe, "data", 0)
    assert base != digest(recipe, "date", 0)
    assert base != digest(recipe, "data", 1)
    assert base != digest({**recipe, key: [recipe.get(key), value]}, "data", 0)


def test_digest_sees_the_last_bit_of_a_number():
    assert digest({"rate": 0.1}, "", 0) != digest({"rate": math.nextafter(0.1, 1)}, "", 0)


def test_digest_changes_with_the_semantics(monkeypatch):
    before = digest({}, "", 0)
    monkeypatch.setattr("trainwright.runs.store.SEMANTICS", 99)
    assert digest({}, "", 0) != before


# --- writing and reading


def test_round_trip(tmp_path):
    store, run = Store(tmp_path / "store"), make_run()
    assert name_of(run) not in store
    name = store.write(run)
    assert name == name_of(run)
    assert name in store
    assert_same(store.read(name, weights=True), run)
    assert_same(Store(tmp_path / "store").read(name), run)


def test_numbers_that_json_lacks_survive(tmp_path):
    run = make_run(
        seconds=math.nan, environment={"worst": math.inf, "best": -math.inf, "n": np.float32("nan")}
    )
    back = Store(tmp_path).read(Store(tmp_path).write(run))
    assert math.isnan(back.seconds)
    assert math.isnan(back.environment.pop("n"))
    assert back.environment == {"worst": math.inf, "best": -math.inf}

    def refuse(constant):
        raise AssertionError(f"{constant} is not JSON")

    json.loads((tmp_path / "runs" / name_of(run) / "run.json").read_text(), parse_constant=refuse)


def test_empty_history_and_no_weights(tmp_path):
    run = make_run(history={"step": np.zeros(0, np.int64), "train_loss": np.zeros(0)}, weights={})
    assert_same(Store(tmp_path).read(Store(tmp_path).write(run)), run)


def test_objects_are_refused_rather_than_pickled(tmp_path):
    with pytest.raises(TypeError, match="pickle"):
        Store(tmp_path).write(make_run(predictions={"test": np.array([{}])}))


def test_opening_and_asking_write_nothing(tmp_path):
    assert "x" not in Store(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_moved_store_and_copied_run_still_read(tmp_path):
    run = make_run()
    name = Store(tmp_path / "a").write(run)
    (tmp_path / "a").rename(tmp_path / "b")
    assert_same(Store(tmp_path / "b").read(name, weights=True), run)
    shutil.copytree(tmp_path / "b" / "runs" / name, tmp_path / "c" / "runs" / name)
    assert_same(Store(tmp_path / "c").read(name, weights=True), run)


def test_reading_loads_no_weights(tmp_path):
    store = Store(tmp_path)
    name = store.write(make_run())
    (tmp_path / "runs" / name / "model.safetensors").write_bytes(b"gone bad")
    run = store.read(name)
    assert run.best_step == 20
    with pytest.raises(DamagedRun, match=r"model\.safetensors"):
        run.weights["scale"]


def test_first_writer_wins(tmp_path):
    store = Store(tmp_path)
    name = store.write(make_run(seconds=1.0))
    store.write(make_run(seconds=2.0))
    assert not files.write(tmp_path / "runs" / name, {"run.json": b"other"}, tmp_path / "writing")
    assert store.read(name).seconds == 1.0


# --- damage


def test_every_changed_byte_is_noticed(tmp_path):
    store, rng = Store(tmp_path), np.random.default_rng(0)
    name = store.write(make_run(weights={"w": np.zeros(3, np.float32)}))
    for path in sorted((tmp_path / "runs" / name).iterdir()):
        whole = path.read_bytes()
        for place in range(len(whole)):
            changed = bytearray(whole)
            changed[place] ^= int(rng.integers(1, 256))
            path.write_bytes(changed)
            with pytest.raises(DamagedRun, match=path.name):
                store.read(name, weights=True)
        path.write_bytes(whole)
    store.read(name, weights=True)


@pytest.mark.parametrize(
    "file", ["run.json", "history.csv", "predictions.npz", "model.safetensors", "manifest.json"]
)
def test_truncated_and_missing_files_are_noticed(tmp_path, file):
    store = Store(tmp_path)
    name = store.write(make_run())
    path = tmp_path / "runs" / name / file
    whole = path.read_bytes()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedRun, match=file):
            store.read(name, weights=True)
    path.unlink()
    with pytest.raises(DamagedRun, match=file):
        store.read(name, weights=True)


def test_predictions_read_last_are_not_read_again(tmp_path, monkeypatch):
    store, reads, read = Store(tmp_path), [], files.read
    names = [store.write(make_run(seed)) for seed in (0, 1)]
    monkeypatch.setattr(files, "read", lambda folder, name: reads.append(folder) or read(folder, name))
    monkeypatch.setattr(stored_arrays, "RECENT", stored_arrays.Recent(capacity=100))
    one, other = (store.read(name).predictions for name in names)  # 76 bytes each
    reads.clear()
    first = one["test"]
    assert one["test"] is first
    assert len(reads) == 1
    assert not first.flags.writeable  # it is what the next reader gets
    assert not np.array_equal(other["test"], first)
    assert one["test"].tolist() == first.tolist()  # read again: both did not fit
    assert len(reads) == 3
    monkeypatch.setattr(stored_arrays, "RECENT", stored_arrays.Recent(capacity=10))
    reads.clear()
    assert len(store.read(names[0], weights=True).weights) == 2
    assert reads.count(reads[-1]) == len(reads) == 4  # too large to keep, and yet each file is read once


def test_damaged_run_is_set_aside_and_done_again(tmp_path):
    store, run = Store(tmp_path), make_run()
    for times in (1, 2):
        name = store.write(run)
        (tmp_path / "runs" / name / "run.json").write_bytes(b"{}")
        with pytest.raises(DamagedRun):
            store.read(name)
        store.discard(name)
        assert name not in store
        assert (tmp_path / "damaged" / f"{name}-{times}" / "run.json").read_bytes() == b"{}"
    store.discard(name)  # another process was quicker: nothing to do
    assert_same(store.read(store.write(run)), run)


def test_a_run_without_manifest_does_not_block_its_place(tmp_path):
    store, run = Store(tmp_path), make_run()
    (tmp_path / "runs" / store.write(run) / "manifest.json").unlink()
    assert name_of(run) not in store
    assert_same(store.read(store.write(run)), run)


def test_a_run_under_another_name_is_noticed(tmp_path):
    store = Store(tmp_path)
    name = store.write(make_run())
    (tmp_path / "runs" / name).rename(tmp_path / "runs" / "0123")
    with pytest.raises(DamagedRun, match="another run"):
        store.read("0123")
    with pytest.raises(StoreError, match="no run"):
        store.read(name)


# --- what the system refuses


@pytest.mark.parametrize("refusal", ["fsync", "mkdir", "rename"])
@pytest.mark.parametrize(("code", "remedy"), [(errno.ENOSPC, "disk is full"), (errno.EACCES, "permission")])
def test_refused_writes_say_what_to_do_and_leave_nothing(tmp_path, monkeypatch, refusal, code, remedy):
    store = Store(tmp_path / "store")
    first = store.write(make_run(0))

    def refuse(*_args, **_options):
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patch:
        patch.setattr(os if refusal == "fsync" else Path, refusal, refuse)
        with pytest.raises(StoreError, match=remedy) as caught:
            store.write(make_run(1))
    assert str(tmp_path / "store") in str(caught.value)
    assert list((tmp_path / "store" / "writing").iterdir()) == []
    assert [path.name for path in (tmp_path / "store" / "runs").iterdir()] == [first]
    store.write(make_run(1))


def test_disk_that_fills_up_for_real(tmp_path):
    # A limit on the size of files stands in for the disk's: writing fails half way.
    script = """
import resource, signal, sys
from pathlib import Path
import numpy as np
from test_store import make_run
from trainwright.base.errors import StoreError
from trainwright.runs.store import Store
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    Store(Path(sys.argv[1])).write(make_run(weights={"w": np.zeros(100_000)}))
except StoreError as problem:
    print(problem)
"""
    assert "cannot write to" in python(script, tmp_path).communicate()[0]
    assert list((tmp_path / "runs").iterdir()) == []
    assert list((tmp_path / "writing").iterdir()) == []


def test_a_file_is_not_a_store(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="is a file"):
        Store(tmp_path / "file")
    with pytest.raises(StoreError, match="cannot be read"):
        Store(tmp_path / "file" / "below")


def test_newer_formats_are_refused(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(files, "FORMAT", 2)
        name = Store(tmp_path).write(make_run())
    with pytest.raises(StoreError, match="upgrade"):
        Store(tmp_path)
    (tmp_path / "store.json").unlink()
    with pytest.raises(StoreError, match="upgrade"):
        Store(tmp_path).read(name)
    (tmp_path / "store.json").write_text("{")
    with pytest.raises(StoreError, match="is damaged: delete it"):
        Store(tmp_path)


# --- several processes


def python(script: str, *arguments: object) -> subprocess.Popen[str]:
    paths = [str(Path(__file__).parent), *sys.path]
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )


def kill(process: subprocess.Popen[str]) -> None:
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()


HANG_ON = """
import os, sys, time
from pathlib import Path
from test_store import make_run
from trainwright.runs.store import Store
calls = 0
fsync = os.fsync
def hang(descriptor):
    global calls
    calls += 1
    if calls == int(sys.argv[2]):
        print("hanging", flush=True)
        time.sleep(60)
    fsync(descriptor)
store = Store(Path(sys.argv[1]))
store.write(make_run(0))
os.fsync = hang
store.write(make_run(1))
"""


def test_killed_in_mid_write(tmp_path):
    process = python(HANG_ON, tmp_path, 3)
    assert process.stdout.readline() == "hanging\n"
    alive = Store(tmp_path)
    alive.write(make_run(2))  # opening the store beside a living writer leaves its part alone
    assert len(list((tmp_path / "writing").iterdir())) == 2
    kill(process)
    store = Store(tmp_path)
    assert name_of(make_run(1)) not in store
    store.write(make_run(1))
    assert list((tmp_path / "writing").iterdir()) == []
    for seed in (0, 1, 2):
        assert_same(store.read(name_of(make_run(seed)), weights=True), make_run(seed))


def test_killed_after_the_rename(tmp_path):
    process = python(HANG_ON, tmp_path, 6)  # 5 files, then the directory that they are in
    assert process.stdout.readline() == "hanging\n"
    kill(process)
    assert_same(Store(tmp_path).read(name_of(make_run(1)), weights=True), make_run(1))


def test_two_processes_write_the_same_runs(tmp_path):
    script = """
import sys
from pathlib import Path
from test_store import make_run
from trainwright.runs.store import Store
store = Store(Path(sys.argv[1]))
for seed in range(40):
    store.write(make_run(seed))
"""
    processes = [python(script, tmp_path) for _ in range(2)]
    assert [process.wait() for process in processes] == [0, 0]
    for process in processes:
        process.stdout.close()
    assert len(list((tmp_path / "runs").iterdir())) == 40
    assert list((tmp_path / "writing").iterdir()) == []
    for seed in range(40):
        assert_same(Store(tmp_path).read(name_of(make_run(seed)), weights=True), make_run(seed))


def test_claims_exclude_and_end_with_their_process(tmp_path):
    script = """
import sys, time
from pathlib import Path
from trainwright.runs.store import Store
claim = Store(Path(sys.argv[1])).claim("0123")
print(claim is not None, flush=True)
time.sleep(60)
"""
    process = python(script, tmp_path)
    assert process.stdout.readline() == "True\n"
    store = Store(tmp_path)
    assert store.claim("0123") is None
    assert store.claim("4567") is not None
    kill(process)
    deadline = time.monotonic() + 5
    while (claim := store.claim("0123")) is None:
        assert time.monotonic() < deadline
    with claim:
        assert store.claim("0123") is None
    assert store.claim("0123") is not None


# --- checkpoints


def test_checkpoints(tmp_path):
    store = Store(tmp_path)
    assert store.read_checkpoint("one") is None
    for step in (1, 2, 3):
        store.write_checkpoint("one", {"w": np.full((2, 2), step)}, {"step": step, "loss": math.inf})
    arrays, state = Store(tmp_path).read_checkpoint("one")
    np.testing.assert_array_equal(arrays["w"], np.full((2, 2), 3))
    assert state == {"step": 3, "loss": math.inf}
    assert len(list((tmp_path / "checkpoints" / "one").iterdir())) == 1
    store.drop_checkpoint("one")
    store.drop_checkpoint("one")
    assert store.read_checkpoint("one") is None


def test_a_refused_checkpoint_leaves_the_last_one(tmp_path, monkeypatch):
    store = Store(tmp_path)
    store.write_checkpoint("one", {"w": np.zeros(2)}, {"step": 1})

    def refuse(_descriptor):
        raise OSError(errno.ENOSPC, "")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreError, match="disk is full"):
            store.write_checkpoint("one", {"w": np.zeros(2)}, {"step": 2})
    assert store.read_checkpoint("one")[1] == {"step": 1}


@pytest.mark.parametrize("file", ["state.json", "arrays.safetensors", "manifest.json"])
def test_a_damaged_checkpoint_is_not_used(tmp_path, caplog, file):
    store = Store(tmp_path)
    store.write_checkpoint("one", {"w": np.zeros(2)}, {"step": 1})
    path = tmp_path / "checkpoints" / "one" / "1" / file
    path.write_bytes(path.read_bytes()[:-1])
    assert store.read_checkpoint("one") is None
    assert file in caplog.text

"""The frame of the exhibits: pictures, page, Markdown and JSON, and what happens when one fails."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import ClassVar
from xml.etree import ElementTree

import pandas as pd
import pytest
from matplotlib.figure import Figure

from trainwright import exhibits, gallery
from trainwright.base.config import config
from trainwright.base.errors import DataError, Interrupted, SettingError, StoreError
from trainwright.exhibit import Claim, Exhibit, ExhibitResult, spelled


@config
class Sample(Exhibit):
    """Something small and hostile."""

    title: ClassVar[str] = "A <b>sample</b> & its |title|"

    def make(self, budget: str, store: Path) -> ExhibitResult:
        figure = Figure()
        figure.subplots().plot([1, 2], [3, 5])
        claims = (
            Claim("A < B.", "Nobody 1900", "1 < 2.", True),
            Claim("B < A.", "Nobody 1901", "1 < 2.", False),
            Claim("A < C.", "Nobody 1902", "who knows?", None),
        )
        table = pd.DataFrame({"x | y": [1.0, float("nan")], "name": ["<script>", "b"]})
        return ExhibitResult(self.name, self.title, figure, {"Numbers": table}, claims, ("Scaled down.",))


@config
class Broken(Exhibit):
    """Fails as a user's mistake does."""

    title: ClassVar[str] = "Broken"

    def make(self, budget: str, store: Path) -> ExhibitResult:
        raise DataError("no such data set; fetch it")


@pytest.fixture
def two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exhibits, "names", lambda: ["broken", "sample"])


def test_gallery_shows_what_failed_and_goes_on(two: None, tmp_path: Path) -> None:
    made = gallery.write(tmp_path, "quick", tmp_path / "store", "trainwright exhibits --all")
    page = (tmp_path / "index.html").read_text("utf-8")
    assert gallery.exit_code(made) == DataError.exit_code
    assert "no such data set; fetch it" in page
    assert "Of 3 statements of the lecture and its sources, 1 held (✓), 1 did not (✗), and 1" in page
    assert re.findall(r'class="sign ([\w-]+)">(.)<', page) == [
        ("no-difference", "✓"),
        ("hurts", "✗"),
        ("inconclusive", "?"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["index.html", "sample.png", "sample.svg"]


def test_page_escapes_names_and_fetches_nothing(two: None, tmp_path: Path) -> None:
    gallery.write(tmp_path, "quick", tmp_path / "store", "")
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "<script" not in page
    assert "<b>" not in page
    assert page.count("<svg") == 1  # as a drawing, not as text
    links = re.findall(r'(?:src|href)="([^"]*)"', page)
    assert links
    assert all(link.startswith("#") for link in links)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))


def test_pictures_are_whole_and_the_same_each_time(tmp_path: Path) -> None:
    shown = gallery.show(Sample(), "quick", tmp_path)
    svg = gallery.picture(shown, "svg")
    assert ElementTree.fromstring(svg).tag.endswith("svg")
    assert svg == gallery.picture(gallery.show(Sample(), "quick", tmp_path), "svg")
    assert gallery.picture(shown, "png").startswith(b"\x89PNG")


def test_markdown_and_json_say_the_same(tmp_path: Path) -> None:
    shown = gallery.show(Sample(), "quick", tmp_path)
    text = gallery.markdown(shown, "sample.svg")
    assert "✓ **A \\< B.**" in text
    assert "✗ **B \\< A.**" in text
    assert "? **A \\< C.**" in text
    assert "| x \\| y | name |" in text
    found = json.loads(json.dumps(gallery.as_json(shown), allow_nan=False))
    assert [claim["holds"] for claim in found["claims"]] == [True, False, None]
    assert found["tables"]["Numbers"][1] == {"x | y": None, "name": "b"}


def test_named_index_is_shown_and_an_unnamed_one_is_not() -> None:
    table = pd.DataFrame({"y": [0.5]}, index=pd.Index(["a"], name="x"))
    assert spelled(table) == (["x", "y"], [["a", "0.5"]])
    assert spelled(table.rename_axis(None)) == (["y"], [["0.5"]])


def test_unknown_exhibit_is_told_the_nearest() -> None:
    with pytest.raises(SettingError, match="momentum"):
        gallery.read("momentun")
    with pytest.raises(SettingError, match="name one of"):
        gallery.read("momentum, momentum")


def test_unwritable_folder_is_said_before_the_work(two: None, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for attempt in (
        lambda: gallery.prepare(tmp_path / "file" / "out"),
        lambda: gallery.write(tmp_path / "file" / "out", "quick", tmp_path, ""),
    ):
        with pytest.raises(StoreError, match="cannot write"):
            attempt()


def test_ctrl_c_ends_the_gallery(two: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(self: Broken, budget: str, store: Path) -> ExhibitResult:
        raise Interrupted("interrupted")

    monkeypatch.setattr(Broken, "make", interrupted)
    with pytest.raises(Interrupted):
        gallery.write(tmp_path, "quick", tmp_path / "store", "")

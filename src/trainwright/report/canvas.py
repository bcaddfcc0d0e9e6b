"""A canvas in CSS pixels, drawn by Matplotlib, that becomes an inline SVG for light and dark pages."""

from __future__ import annotations

import html
import io
import re
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from trainwright.report.quantities import printable

INK = "#010203"  # what is drawn in this colour takes the text colour of the page
STYLE: dict[Any, Any] = {
    # Text stays text: it can be searched and read aloud, and any script shows. It is laid out with
    # DejaVu Sans, wider than what pages commonly fall back to, so a replaced font does not overflow.
    "svg.fonttype": "none",
    "svg.hashsalt": "trainwright",
    "text.parse_math": False,  # a dollar sign in an arm's name is a dollar sign
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 12,
    "text.color": INK,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.unicode_minus": True,
    "xtick.color": INK,
    "ytick.color": INK,
    "figure.facecolor": "none",
}


class Canvas:
    """A figure of `width` × `height` CSS pixels; y counts downwards from the top, as on the page."""

    def __init__(self, width: float, height: float) -> None:
        self.width, self.height = width, height
        self._figure = Figure(figsize=(width / 72, height / 72), dpi=72)  # one point is one pixel

    def panel(self, left: float, top: float, width: float, height: float) -> Axes:
        """Axes whose data area is this rectangle."""
        bottom = self.height - top - height
        box = (left / self.width, bottom / self.height, width / self.width, height / self.height)
        return self._figure.add_axes(box)

    def say(self, text: str, x: float, y: float, **style: Any) -> None:
        """A line of text, centred on the height `y`."""
        self._figure.text(x / self.width, 1 - y / self.height, text, **{"va": "center_baseline", **style})

    def svg(self, name: str, label: str) -> str:
        """The drawing as `<svg>`: it scales to its container and says `label` to a screen reader.

        `name` makes its ids unique in a page. The same drawing gives the same text at any time.
        """
        file = io.StringIO()
        with warnings.catch_warnings():
            # A character that DejaVu Sans lacks is measured as a box, and shown by the browser's fonts.
            warnings.filterwarnings("ignore", message="Glyph .* missing from font")
            FigureCanvasSVG(self._figure).print_svg(  # type: ignore[no-untyped-call]
                file, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type"))
            )
        document = file.getvalue()
        drawing = document[document.index(">", document.index("<svg")) + 1 :]
        opening = (
            f'<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" role="img"'
            f' aria-label="{html.escape(printable(label))}" viewBox="0 0 {self.width:g} {self.height:g}"'
            f' style="width:100%;max-width:{self.width:g}px">'
        )
        return opening + unique_ids(drawing, name).replace(INK, "currentColor")


@contextmanager
def canvas(width: float, height: float) -> Iterator[Canvas]:
    """A canvas, and the package's style (over Matplotlib's defaults, not the user's) while drawing on it."""
    with matplotlib.rc_context():
        matplotlib.rcParams.update(matplotlib.rcParamsDefault)
        matplotlib.rcParams.update(STYLE)
        yield Canvas(width, height)


def lines(name: str, letters: int) -> list[str]:
    """A name in lines of at most so many letters, without the control characters that SVG cannot hold."""
    return textwrap.wrap(printable(name), letters) or [""]


def unique_ids(drawing: str, name: str) -> str:
    """Keep only the ids that are referred to, and put the figure's name before them."""
    used = set(re.findall(r'(?:url\(|href=")#([^)"]+)', drawing))
    drawing = re.sub(r' id="([^"]+)"', lambda m: f' id="{name}-{m[1]}"' if m[1] in used else "", drawing)
    return re.sub(r'(url\(|href=")#', rf"\g<1>#{name}-", drawing)

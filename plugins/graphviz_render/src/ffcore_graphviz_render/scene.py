"""A drawing before it has a format: boxes and lines of text at fixed places, in pixels from the top left."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence
from typing import TypeAlias

import attrs

from ffcore_graphviz_render.labels import INK, clean

# Widths of the characters from blank to tilde in Helvetica (Arial has the same), in thousandths of the font size.
_WIDTHS = (
    (278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278)
    + (556,) * 10
    + (278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778)
    + (667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556, 556)
    + (278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334)
    + (260, 334, 584)
)
_BOLD = 1.08  # bold letters are wider
_SLACK = 1.04  # fonts that stand in for Helvetica may be, too


@attrs.frozen
class Run:
    """Text of one size, weight and colour."""

    text: str
    size: float = 10.5
    bold: bool = False
    colour: str = INK

    @property
    def width(self) -> float:
        """About how wide it is, in px."""
        units = sum(_width(c) for c in self.text)
        return units / 1000 * self.size * (_BOLD if self.bold else 1.0) * _SLACK

    def fitted(self, width: float) -> Run:
        """The same, with its middle left out where it is wider than ``width``."""
        return attrs.evolve(self, text=fit(self.text, width, self))


@attrs.frozen
class Box:
    """A rectangle; ``kind`` says what it stands for and ``about`` is shown to who points at it."""

    x: float
    y: float
    width: float
    height: float
    kind: str = ""
    fill: str = "none"
    stroke: str = "none"
    thick: float = 1.0
    radius: float = 0.0
    dashed: bool = False
    about: str = ""


@attrs.frozen
class Text:
    """One line in the space from ``x`` to ``x + width``, around the height ``y``; ``align``: left, center or right."""

    x: float
    y: float
    width: float
    runs: tuple[Run, ...]
    align: str = "left"


Item: TypeAlias = Box | Text


@attrs.define
class Scene:
    """What to draw, from the back to the front."""

    title: str
    width: float = 0.0
    height: float = 0.0
    items: list[Item] = attrs.field(factory=list)

    def box(self, box: Box) -> None:
        self.items.append(box)

    def text(self, x: float, y: float, width: float, runs: Sequence[Run], align: str = "left") -> None:
        """Add a line of text; of its runs, the widest gives way where there is no room for all."""
        self.items.append(Text(x, y, width, fit_runs(runs, width), align))


def width_of(runs: Iterable[Run]) -> float:
    """The width of a line of text, in points."""
    return sum(run.width for run in runs)


def fit_runs(runs: Sequence[Run], width: float) -> tuple[Run, ...]:
    """``runs`` in at most ``width`` px: the widest ones are shortened, the others stay."""
    fitted = [attrs.evolve(run, text=clean(run.text, 400)) for run in runs]
    for _ in runs:
        excess = width_of(fitted) - width
        if excess <= 0:
            break
        widest = max(range(len(fitted)), key=lambda i: fitted[i].width)
        fitted[widest] = fitted[widest].fitted(max(0.0, fitted[widest].width - excess))
    return tuple(run for run in fitted if run.text)


def fit(text: str, width: float, style: Run) -> str:
    """``text`` with its middle left out where it is wider than ``width``: long names differ at either end."""
    if attrs.evolve(style, text=text).width <= width:
        return text
    low, high = 0, len(text)  # characters kept
    while low < high:
        kept = (low + high + 1) // 2
        if attrs.evolve(style, text=_cut(text, kept)).width <= width:
            low = kept
        else:
            high = kept - 1
    return _cut(text, low)


def _cut(text: str, kept: int) -> str:
    return text[: (kept + 1) // 2] + "…" + text[len(text) - kept // 2 :]


def _width(character: str) -> int:
    place = ord(character) - 32
    if 0 <= place < len(_WIDTHS):
        return _WIDTHS[place]
    if unicodedata.combining(character):
        return 0
    return 1000 if unicodedata.east_asian_width(character) in "WF" or character == "…" else 620

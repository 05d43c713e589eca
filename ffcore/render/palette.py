"""One colour per tensor, the same in all pictures of a workload."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping

# Light, well apart for most kinds of colour vision, in an order that keeps neighbours different.
_BASE = (
    "#8ecae6",
    "#ffb703",
    "#95d5b2",
    "#f4978e",
    "#cdb4db",
    "#e9d8a6",
    "#a3b18a",
    "#ffafcc",
    "#90dbf4",
    "#fb8500",
    "#b8c0ff",
    "#d4a373",
    "#80ed99",
    "#e5989b",
    "#c9ada7",
    "#f1fa8c",
)


def tensor_colours(tensors: Iterable[str]) -> Mapping[str, str]:
    """A fill colour (dark text reads on it) for each tensor, in the order in which they are given."""
    return {name: _colour(i) for i, name in enumerate(dict.fromkeys(tensors))}


def _colour(index: int) -> str:
    if index < len(_BASE):
        return _BASE[index]
    # Golden-ratio steps around the colour circle never repeat and keep neighbours apart.
    hue = (index * 0.618033988749895) % 1.0
    lightness = (0.80, 0.72, 0.86)[index % 3]
    red, green, blue = colorsys.hls_to_rgb(hue, lightness, 0.6)
    return f"#{round(red * 255):02x}{round(green * 255):02x}{round(blue * 255):02x}"

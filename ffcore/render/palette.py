"""One colour per tensor, the same in all pictures of a workload."""

from __future__ import annotations

import colorsys
from collections.abc import Iterable, Mapping

# Light, so that dark text reads on them, and chosen by search: far apart for normal vision and for the three kinds of
# colour blindness, neighbours most of all; apart also from the greys, violet and green of the mapping picture.
_BASE = (
    "#8ecae6",
    "#e48236",
    "#72f69d",
    "#b683f3",
    "#f9eb6a",
    "#d08793",
    "#9b9f68",
    "#a1f8e7",
    "#859bcf",
    "#7ec251",
    "#f5d8bd",
    "#f293bf",
    "#fe8178",
    "#35cafe",
    "#7ecc93",
    "#b6fb86",
    "#dcb83d",
    "#e9bbc1",
    "#44aaac",
    "#c5a2eb",
    "#f4ab79",
    "#51f2f7",
    "#cfd96f",
    "#10d4a8",
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

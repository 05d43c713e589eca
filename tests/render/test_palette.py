"""Colours of tensors: stable, legible, and told apart by the colour-blind."""

import itertools

import numpy as np
import pytest

from ffcore.render.palette import tensor_colours

COLOURS = list(tensor_colours([f"T{i}" for i in range(16)]).values())
INK = "#1f2933"

# What is left of linear RGB (Machado, Oliveira and Fernandes 2009, complete deficiency).
VISION = {
    "normal": np.eye(3),
    "deuteranopia": np.array([[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]]),
    "protanopia": np.array([[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]]),
    "tritanopia": np.array([[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]]),
}
XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
WHITE = np.array([0.9505, 1.0, 1.089])


def linear(colour: str) -> np.ndarray:
    values = np.array([int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)


def lab(rgb: np.ndarray) -> np.ndarray:
    t = XYZ @ np.clip(rgb, 0, 1) / WHITE
    f = np.where(t > 0.008856, np.cbrt(t), 7.787 * t + 16 / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize(
    ("vision", "least"), [("normal", 18), ("deuteranopia", 8), ("protanopia", 8), ("tritanopia", 5)]
)
def test_colours_differ_for_every_kind_of_vision(vision: str, least: float) -> None:
    seen = [lab(VISION[vision] @ linear(colour)) for colour in COLOURS]
    assert min(np.linalg.norm(a - b) for a, b in itertools.combinations(seen, 2)) > least


def test_dark_text_is_read_on_all_of_them() -> None:
    def brightness(colour: str) -> float:
        return float(XYZ[1] @ linear(colour)) + 0.05

    many = tensor_colours([f"T{i}" for i in range(300)]).values()
    assert min(brightness(colour) / brightness(INK) for colour in many) > 4.5  # WCAG AA


def test_colours_are_stable() -> None:
    assert tensor_colours(["A", "B", "A"]) == {"A": COLOURS[0], "B": COLOURS[1]}
    assert len(set(tensor_colours([f"T{i}" for i in range(300)]).values())) > 280

"""Specs, pmappings, mappings and trackers display themselves in Jupyter."""

from __future__ import annotations

from xml.etree import ElementTree

import pytest

import ffcore as ff
from ffcore import plugin
from ffcore.render.rendering import Rendering
from ffcore.render.xy import Line, xy_plot

SVG = "{http://www.w3.org/2000/svg}"


def small() -> ff.Spec:
    return ff.Spec.from_yaml("simple", "matmuls", N_EINSUMS=2, M=4, KN=2)


@pytest.fixture
def _text_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rendering, "_repr_svg_", lambda self: None)


@pytest.mark.usefixtures("_text_only")
def test_text_where_nothing_can_be_drawn() -> None:
    spec = small()
    html = spec._repr_html_()
    assert html.count("<pre>") == 2
    assert "MainMemory" in html
    assert "Matmul1" in html
    assert spec.workload._repr_svg_() is None
    assert spec.workload._repr_html_() == spec.workload.render().html
    assert spec.arch._repr_html_() == spec.arch.render().html


def test_pictures_within_html(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Rendering, "_repr_svg_", lambda self: f'<?xml version="1.0"?>\n<svg>{self.kind}</svg>')
    spec = small()
    assert spec._repr_html_() == "<svg>arch</svg><svg>workload</svg>"
    assert spec.workload._repr_html_() is None  # the picture itself is shown
    assert "workload" in str(spec.workload._repr_svg_())


@pytest.mark.usefixtures("_text_only")
def test_pmappings_and_mappings() -> None:
    if "ffm" not in plugin.names("joiner"):
        pytest.skip("the joiner 'ffm' is not installed")
    spec = small()
    pmappings = ff.mapper.FFM.make_pmappings(spec)
    html = pmappings._repr_html_()
    for name, count in pmappings.pareto_optimal_pmappings(per_einsum=True).items():
        assert f"<td>{name}</td><td>{count:,}</td>" in html
    mappings = ff.mapper.FFM.join_pmappings(spec, pmappings)
    alone = mappings[0]._repr_html_()
    assert alone.startswith("<table>")
    assert "MAC" in alone.split("</table>")[1]


def test_convergence_is_a_picture_of_steps() -> None:
    lines = [
        Line("search", 1, ((0.1, 8.0), (1.0, 2.0), (10.0, 2.0)), False),
        Line("exact", 0, ((3.0, 1.0), (10.0, 1.0)), True),
    ]
    picture = ElementTree.fromstring(xy_plot("a < b", lines, "seconds of wall time", steps=True))
    first, second = (p.attrib["points"].split() for p in picture.findall(f"{SVG}polyline"))
    assert len(first) == 5  # down only after going right
    assert first[0].split(",")[1] == first[1].split(",")[1]
    assert first[1].split(",")[0] == first[2].split(",")[0]
    assert len(second) == 3
    assert len(picture.findall(f"{SVG}circle")) == 1
    texts = [t.text for t in picture.findall(f"{SVG}text")]
    assert {"a < b", "search", "exact", "seconds of wall time", "10"} <= set(texts)


@pytest.mark.parametrize("points", [(), ((1.0, 1.0),), ((1.0, 1.0), (1.0, 1.0)), ((0.0, 1e9), (1e6, 1e-9))])
def test_convergence_of_little_or_much(points: tuple[tuple[float, float], ...]) -> None:
    picture = ElementTree.fromstring(xy_plot("", [Line("x", 0, points)], "x", steps=True))
    for line in picture.findall(f"{SVG}polyline"):
        for corner in line.attrib["points"].split():
            x, y = map(float, corner.split(","))
            assert 0 <= x <= 720
            assert 0 <= y <= 440

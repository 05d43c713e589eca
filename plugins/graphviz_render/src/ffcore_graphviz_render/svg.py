"""A scene as SVG: text stays text, and whatever has a description tells it to who points at it."""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from ffcore_graphviz_render.labels import clean
from ffcore_graphviz_render.scene import Box, Scene, Text
from ffcore_graphviz_render.style import FONTS

_ANCHOR = {"left": "start", "center": "middle", "right": "end"}


def scene_svg(scene: Scene) -> str:
    """The drawing as one SVG document, which scales with the page that shows it."""
    width, height = _n(scene.width), _n(scene.height)
    lines = [
        '<?xml version="1.0" encoding="UTF-8"?>',
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
        f' role="img" font-family={quoteattr(FONTS)}>',
        f"<title>{escape(clean(scene.title, 400))}</title>",
        f'<rect width="{width}" height="{height}" fill="#ffffff"/>',
    ]
    lines += [_box(item) if isinstance(item, Box) else _text(item) for item in scene.items]
    return "\n".join([*lines, "</svg>", ""])


def _box(box: Box) -> str:
    attributes = {"class": box.kind} if box.kind else {}
    attributes |= {"x": _n(box.x), "y": _n(box.y), "width": _n(box.width), "height": _n(box.height)}
    attributes["fill"] = box.fill
    if box.stroke != "none":
        attributes |= {"stroke": box.stroke, "stroke-width": _n(box.thick)}
    if box.radius:
        attributes["rx"] = _n(box.radius)
    if box.dashed:
        attributes["stroke-dasharray"] = "3 2"
    written = "".join(f" {name}={quoteattr(value)}" for name, value in attributes.items())
    about = f"<title>{escape(clean(box.about, 400))}</title>" if box.about else ""
    return f"<rect{written}>{about}</rect>" if about else f"<rect{written}/>"


def _text(text: Text) -> str:
    x = {"left": text.x, "center": text.x + text.width / 2, "right": text.x + text.width}[text.align]
    largest = max((run.size for run in text.runs), default=10.0)
    spans = []
    for run in text.runs:
        bold = ' font-weight="bold"' if run.bold else ""
        spans.append(f'<tspan font-size="{_n(run.size)}"{bold} fill={quoteattr(run.colour)}>{escape(run.text)}</tspan>')
    place = f'x="{_n(x)}" y="{_n(text.y + 0.36 * largest)}" text-anchor="{_ANCHOR[text.align]}"'
    # Pointing at text is pointing at what lies below it.
    return f'<text {place} pointer-events="none" xml:space="preserve">{"".join(spans)}</text>'


def _n(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")

"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import RendererRecord, hookimpl


@hookimpl
def ffcore_renderers() -> Iterable[RendererRecord]:
    """Pictures by graphviz."""
    yield RendererRecord(
        "graphviz",
        "workloads, architectures and mappings as SVG, PNG or DOT",
        "ffcore_graphviz_render.renderer:GraphvizRenderer",
        formats=("svg", "png", "dot"),
    )

"""The renderer that ffcore asks for pictures."""

from __future__ import annotations

import shutil
import subprocess
from typing import Any

import graphviz

from ffcore.plugin import (
    MappingView,
    MissingProgramError,
    PluginError,
    RenderKind,
    view_arch,
    view_mapping,
    view_workload,
)
from ffcore_graphviz_render.arch import arch_graph
from ffcore_graphviz_render.dot import scene_dot
from ffcore_graphviz_render.mapping import mapping_scene
from ffcore_graphviz_render.svg import scene_svg
from ffcore_graphviz_render.workload import workload_graph

MISSING = (
    "Graphviz's program 'dot' is not on the PATH: install it with 'apt-get install graphviz', "
    "'brew install graphviz' or 'conda install graphviz'."
)

_DPI = "144"  # of bitmaps: letters stay sharp on screens of today


class GraphvizRenderer:
    """Draws through Graphviz. DOT needs no program, nor does a mapping as SVG; all else needs ``dot``."""

    def render(self, kind: RenderKind, obj: Any, format: str) -> bytes | str:
        """Draw ``obj`` as ``svg``, ``dot`` (text) or ``png`` (bytes); the same input gives the same picture.

        Raises ``MissingProgramError`` where ``dot`` is needed and missing, ``PluginError`` where it fails and for
        another format.
        """
        if format not in ("svg", "png", "dot"):
            raise PluginError(f"Graphviz pictures come as svg, png or dot, not as {format!r}")
        if kind == "mapping":
            scene = mapping_scene(obj if isinstance(obj, MappingView) else view_mapping(obj))
            if format == "svg":
                return scene_svg(scene)
            graph = scene_dot(scene)
        else:
            graph = workload_graph(view_workload(obj)) if kind == "workload" else arch_graph(view_arch(obj))
        if format == "dot":
            source: str = graph.source
            return source
        if format == "png" and kind != "mapping":
            graph.attr("graph", dpi=_DPI)
        if shutil.which("dot") is None:
            raise MissingProgramError(MISSING)
        try:
            drawn: bytes = graph.pipe(format=format, quiet=True)
        except graphviz.ExecutableNotFound:  # gone between the two lines above, or not executable
            raise MissingProgramError(MISSING) from None
        except (OSError, subprocess.CalledProcessError) as error:
            raise PluginError(f"Graphviz's program 'dot' fails: {_said(error)}") from None
        return drawn.decode("utf-8") if format == "svg" else drawn


def _said(error: OSError | subprocess.CalledProcessError) -> str:
    """What the program says in its last line, or else how it ended."""
    if isinstance(error, OSError):
        return f"{error}."
    said: bytes | str = error.stderr or b""
    lines = (said.decode(errors="replace") if isinstance(said, bytes) else said).strip().splitlines()
    return f"{lines[-1].rstrip('.')}." if lines else f"it ends with code {error.returncode}."

"""The mapping picture: one band for each holder and loop, columns where Einsums run one after the other.

What Einsums share is drawn once, as wide as all of the columns below it. Holders show a chip in the tensor's
colour for each tile that they hold, loops how often they run and what one iteration covers;
spatial loops stand out in green with a double bar.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs
import graphviz

from ffcore.render.mapping import (
    BranchView,
    ComputeView,
    HolderView,
    LoopView,
    MappingView,
    StepView,
    TensorTile,
    title_of,
)
from ffcore.render.palette import tensor_colours
from ffcore_graphviz_render import labels
from ffcore_graphviz_render.grid import Grid
from ffcore_graphviz_render.labels import Markup, cell, lines, row, table, text
from ffcore_graphviz_render.style import COMPUTE, HOLDER, LINE, LOOP, SPATIAL, SPATIAL_INK, TOLL, new_graph

_CHIPS_PER_COLUMN = 2  # in one row of a holder, for each Einsum below it
_KEY = (
    "×n: the loop runs n times · tile: what one iteration covers",
    "∥: spatial loop, across instances · bold: the tensor's outermost holder",
)


def mapping_graph(view: MappingView) -> graphviz.Digraph:
    """The picture of a mapping, as one HTML-like table. Loops that run once are left out."""
    graph = new_graph("mapping")
    painter = _Painter(tensor_colours(view.tensors), Grid())
    painter.steps(view.steps, 0, 0)
    keys = [row([cell(text(line, size=9, colour=labels.FAINT), align="left")]) for line in _KEY]
    picture = table([row([cell(painter.grid.markup(cellspacing=2))]), row([cell(table(keys), cellpadding=4)])])
    graph.node("mapping", labels.label(picture))
    return graph


@attrs.frozen
class _Painter:
    """Puts the bands of a mapping on a grid: rows go down the nest, columns are Einsums."""

    colours: Mapping[str, str]
    grid: Grid

    def steps(self, steps: Sequence[StepView], at_row: int, at_column: int) -> int:
        """Draw a chain of steps from (at_row, at_column) down; returns the first free row below it."""
        width = _width(steps)
        for step in steps:
            if isinstance(step, BranchView):
                at_row = self.branches(step, at_row, at_column)
            elif not (isinstance(step, LoopView) and step.trips == 1):
                self.band(step, (at_row, at_column), width)
                at_row += 1
        return at_row

    def branches(self, step: BranchView, at_row: int, at_column: int) -> int:
        """Draw branches side by side, each under a title, with a narrow blank column between them."""
        end = at_row
        for i, branch in enumerate(step.branches):
            width = _width(branch)
            title = text(f"{i + 1}. {title_of(branch)}", bold=True, size=13)
            self.grid.put((at_row, at_column), title, columns=width, cellpadding=3, valign="bottom")
            end = max(end, self.steps(branch, at_row + 1, at_column))
            at_column += width
            if i < len(step.branches) - 1:
                self.grid.put((at_row, at_column), text(""), width=8)
                at_column += 1
        return end

    def band(self, step: HolderView | LoopView | ComputeView, at: tuple[int, int], columns: int) -> None:
        """Draw one step as wide as its part of the mapping."""
        align = "center"
        if isinstance(step, HolderView):
            content = _holder(step, self.colours, _CHIPS_PER_COLUMN * columns)
            fill = TOLL if step.passes_only else HOLDER
        elif isinstance(step, LoopView):
            content, fill, align = _loop(step), SPATIAL if step.spatial else LOOP, "left"
        else:
            content, fill = _compute(step), COMPUTE
        self.grid.put(at, content, columns=columns, border=1, color=LINE, cellpadding=3, bgcolor=fill, align=align)


def _holder(step: HolderView, colours: Mapping[str, str], per_row: int) -> Markup:
    chips = [_chip(tile, colours) for tile in step.tiles]
    rows = [row([cell(text(step.component, bold=True, size=11), align="left", cellpadding=1)])]
    for start in range(0, len(chips), per_row):
        rows.append(row([cell(table([row(chips[start : start + per_row])], cellspacing=2))]))
    return table(rows)


def _chip(tile: TensorTile, colours: Mapping[str, str]) -> Markup:
    parts = [text(tile.tensor, bold=tile.backing, size=11)]
    if tile.size:
        parts.append(text(tile.size, size=9))
    return cell(lines(parts), bgcolor=colours.get(tile.tensor, "#dddddd"), cellpadding=2, style="rounded")


def _loop(step: LoopView) -> Markup:
    ink = SPATIAL_INK if step.spatial else labels.INK
    trips = "?" if step.trips is None else str(step.trips)
    parts = [
        text("∥ for" if step.spatial else "for", colour=ink),
        text(step.variable, bold=True, colour=ink),
        text(f"×{trips}", colour=ink),
        text(f"tile {step.tile}", size=10, colour=labels.FAINT),
    ]
    rows = [labels.join(parts)]
    if step.spatial:
        rows.append(text(step.spatial, size=9, colour=ink))
    return lines(rows, align="left")


def _compute(step: ComputeView) -> Markup:
    parts = [text(step.einsum, bold=True, colour="white"), text(f"on {step.component}", size=10, colour="white")]
    if step.reads or step.writes:
        flow = f"{', '.join(step.reads)} → {', '.join(step.writes)}"
        parts.append(text(flow, size=9, colour="#cbd5e1"))
    return lines(parts)


def _width(steps: Sequence[StepView]) -> int:
    """Grid columns that a chain of steps needs, with the blank ones between branches."""
    widest = 1
    for step in steps:
        if isinstance(step, BranchView):
            widest = max(widest, sum(_width(b) for b in step.branches) + max(0, len(step.branches) - 1))
    return widest

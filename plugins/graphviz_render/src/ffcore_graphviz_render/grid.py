"""A table laid out on a grid, with cells that span rows and columns.

Nested tables would stretch: Graphviz spreads spare room evenly over the rows of a table. On one common grid
each column keeps its own heights, and what several columns share is simply wider.
"""

from __future__ import annotations

import attrs

from ffcore_graphviz_render.labels import Markup, cell, row, table, text


@attrs.frozen
class Placed:
    """One cell: where it starts, how far it spans, what it shows."""

    row: int
    column: int
    rows: int
    columns: int
    content: Markup
    attributes: dict[str, object]


@attrs.define
class Grid:
    """Cells that do not overlap; whatever they leave free stays blank."""

    cells: list[Placed] = attrs.field(factory=list)

    def put(self, at: tuple[int, int], content: Markup, *, columns: int = 1, **attributes: object) -> None:
        """Place a cell at (row, column)."""
        self.cells.append(Placed(at[0], at[1], 1, columns, content, attributes))

    def markup(self, **attributes: object) -> Markup:
        """The grid as one table."""
        n_rows = max((c.row + c.rows for c in self.cells), default=1)
        n_columns = max((c.column + c.columns for c in self.cells), default=1)
        free = [[True] * n_columns for _ in range(n_rows)]
        for placed in self.cells:
            for r in range(placed.row, placed.row + placed.rows):
                free[r][placed.column : placed.column + placed.columns] = [False] * placed.columns
        by_row: list[list[Placed]] = [[] for _ in range(n_rows)]
        for placed in [*self.cells, *_blanks(free)]:
            by_row[placed.row].append(placed)
        rows = [[_td(p) for p in sorted(placed, key=lambda p: p.column)] for placed in by_row]
        return table([row(cells or [cell(text(""))]) for cells in rows], **attributes)


def _blanks(free: list[list[bool]]) -> list[Placed]:
    """Blank cells over the free places, one for each vertical run. Graphviz puts cells where there is room."""
    result = []
    for column in range(len(free[0])):
        start = 0
        for r in range(len(free) + 1):
            if r == len(free) or not free[r][column]:
                if r > start:
                    result.append(Placed(start, column, r - start, 1, text(""), {}))
                start = r + 1
    return result


def _td(placed: Placed) -> Markup:
    spans: dict[str, object] = {}
    if placed.rows > 1:
        spans["rowspan"] = placed.rows
    if placed.columns > 1:
        spans["colspan"] = placed.columns
    return cell(placed.content, **spans, **placed.attributes)

"""Where everything of a mapping goes: a column for each Einsum, rows that they share, tiles as wide as they live.

No geometry here, only structure: which row, from which column to which.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TypeAlias

import attrs

from ffcore.plugin import ComputeView, HolderView, LoopView, MappingView, StepView, TensorTile
from ffcore_graphviz_render.align import RowKey, align

Span: TypeAlias = tuple[int, int]
"""First and last column."""


@attrs.frozen
class Chip:
    """A tile that a component holds: used in the columns of ``used``, alive over all of ``span``."""

    row: int
    component: str
    tile: TensorTile
    span: Span
    used: tuple[Span, ...]
    stays: bool  # nothing further out holds the tensor, and this is not the outermost memory
    passes_only: bool = False  # in a Toll, which holds nothing
    lane: int = 0  # chips of one row that live at the same time lie in lanes, one below the other


@attrs.frozen
class Loops:
    """A run of loops; those over several columns are shared, and drawn as a frame around all that is inside."""

    row: int
    span: Span
    loops: tuple[LoopView, ...]

    @cached_property
    def lines(self) -> int:
        """Of text: spatial loops take two."""
        return sum(2 if loop.spatial else 1 for loop in self.loops)

    @property
    def shared(self) -> bool:
        return self.span[0] < self.span[1]


@attrs.frozen
class Column:
    """One path from the root to a compute (None: it ends without one)."""

    compute: ComputeView | None
    row: int = 0  # of the compute


@attrs.frozen
class Arrangement:
    """Where everything stands in a picture of a mapping."""

    columns: tuple[Column, ...]
    rows: tuple[RowKey, ...]
    chips: tuple[Chip, ...]
    loops: tuple[Loops, ...]

    @cached_property
    def frames(self) -> tuple[Loops, ...]:
        """Shared loops, outer ones first."""
        return tuple(x for x in self.loops if x.shared)

    def groups(self) -> tuple[Span, ...]:
        """Runs of columns that are fused: they share a loop, or a tile in a memory below the outermost one."""
        joined = [False] * len(self.columns)  # with the column to the left
        links = [x.span for x in self.frames]
        links += [(c.used[0][0], c.used[-1][1]) for c in self.chips if c.stays and c.used]
        for first, last in links:
            joined[first + 1 : last + 1] = [True] * (last - first)
        starts = [c for c in range(len(self.columns)) if not joined[c]]
        return tuple((a, b - 1) for a, b in zip(starts, [*starts[1:], len(self.columns)], strict=True))


def arrange(view: MappingView) -> Arrangement:
    """Place the steps of a mapping. Loops that run once are left out."""
    builder = _Builder({level.name: i for i, level in enumerate(view.levels)})
    root = builder.part(view.steps)
    keys, placed = _rows(root, builder.order)
    chips, loops, columns = [], [], list(builder.columns)
    for block, part, row in placed:
        if isinstance(block, _Holders):
            for tile in block.tiles:
                chips.append(builder.chip(block, tile, part, row, view))
        elif isinstance(block, _Run):
            loops.append(Loops(row, part.span, block.loops))
        else:
            columns[part.first] = attrs.evolve(columns[part.first], compute=block, row=row)
    settled = _settled(loops, chips, columns, keys)
    return Arrangement(tuple(columns), tuple(keys), tuple(_lanes(chips)), tuple(settled))


@attrs.frozen
class _Holders:
    component: str
    tiles: tuple[TensorTile, ...]
    passes_only: bool = False


@attrs.frozen
class _Run:
    loops: tuple[LoopView, ...]


_Block: TypeAlias = "_Holders | _Run | ComputeView"


@attrs.define(eq=False)
class _Part:
    """A chain of blocks, with parts below it that run one after the other."""

    first: int
    last: int = 0
    blocks: list[_Block] = attrs.field(factory=list)
    children: list[_Part] = attrs.field(factory=list)

    @property
    def span(self) -> Span:
        return self.first, self.last


@attrs.define(eq=False)
class _Builder:
    order: Mapping[str, int]  # component -> how far in it stands
    columns: list[Column] = attrs.field(factory=list)

    def part(self, steps: Sequence[StepView]) -> _Part:
        """Cut a chain into blocks; one column for each end."""
        part = _Part(len(self.columns))
        holders: list[HolderView] = []
        loops: list[LoopView] = []
        end: ComputeView | None = None
        for i, step in enumerate(steps):
            if isinstance(step, HolderView):
                part.blocks += _run(loops)
                holders.append(step)
            elif isinstance(step, LoopView):
                if step.trips != 1:
                    part.blocks += self.holders(holders)
                    loops.append(step)
            else:
                part.blocks += [*_run(loops), *self.holders(holders)]
                if isinstance(step, ComputeView):
                    end = step
                    break
                # What follows a Sequential stands below each of its branches.
                part.children = [self.part((*branch, *steps[i + 1 :])) for branch in step.branches]
                break
        part.blocks += [*_run(loops), *self.holders(holders)]
        if end is not None:
            part.blocks.append(end)
        if not part.children:
            self.columns.append(Column(end))
        part.last = len(self.columns) - 1
        return part

    def holders(self, steps: list[HolderView]) -> list[_Block]:
        """One block for each component: nothing lies between these holders, so their order says nothing."""
        tiles: dict[str, tuple[TensorTile, ...]] = {}
        for step in steps:
            tiles[step.component] = tiles.get(step.component, ()) + step.tiles
        tolls = {step.component for step in steps if step.passes_only}
        steps.clear()
        names = sorted(tiles, key=lambda name: self.order.get(name, len(self.order)))
        return [_Holders(name, tiles[name], name in tolls) for name in names]

    def chip(self, block: _Holders, tile: TensorTile, part: _Part, row: int, view: MappingView) -> Chip:
        used = _runs(c for c in range(part.first, part.last + 1) if self.einsum(c) in tile.users)
        level = next((x for x in view.levels if x.name == block.component), None)
        span = part.span
        if used and level is not None:
            # In a memory with room for everything, how long a tile stays is of no interest.
            span = _alive(part, part.blocks.index(block), used) if level.bounded else (used[0][0], used[-1][1])
        outermost = bool(view.levels) and view.levels[0].name == block.component
        stays = tile.backing and not outermost
        return Chip(row, block.component, tile, span, used or (span,), stays, block.passes_only)

    def einsum(self, column: int) -> str:
        compute = self.columns[column].compute
        return compute.einsum if compute is not None else ""


def _run(loops: list[LoopView]) -> list[_Block]:
    block: list[_Block] = [_Run(tuple(loops))] if loops else []
    loops.clear()
    return block


def _runs(columns: Iterable[int]) -> tuple[Span, ...]:
    """Neighbours among ascending numbers, put together."""
    spans: list[Span] = []
    for column in columns:
        if spans and spans[-1][1] == column - 1:
            spans[-1] = (spans[-1][0], column)
        else:
            spans.append((column, column))
    return tuple(spans)


def _alive(part: _Part, after: int, used: Sequence[Span]) -> Span:
    """The columns that run while a tile is held: from its first user to its last, and all of any loop in between."""
    if any(isinstance(block, _Run) for block in part.blocks[after + 1 :]) or not part.children:
        return part.span
    first, last = used[0][0], used[-1][1]
    for child in part.children:
        own = [(max(a, child.first), min(b, child.last)) for a, b in used if a <= child.last and b >= child.first]
        if own:
            a, b = _alive(child, -1, own)
            first, last = min(first, a), max(last, b)
    return first, last


def _rows(part: _Part, order: Mapping[str, int]) -> tuple[list[RowKey], list[tuple[_Block, _Part, int]]]:
    """The rows of a part, and the row of each block in it."""
    below = [_rows(child, order) for child in part.children]
    own = [_key(block, part) for block in part.blocks]
    # Holders above a Sequential and the first ones below it, with no loop between: one set of rows.
    cut = len(own) - _leading(own[::-1]) if below else len(own)
    starts = [_leading(keys) for keys, _ in below]
    first = [own[cut:], *(keys[:start] for (keys, _), start in zip(below, starts, strict=True))]
    holders = dict.fromkeys(key for keys in first for key in keys)
    shared = sorted(holders, key=lambda key: order.get(key.component, len(order)))
    rest, places = align([keys[start:] for (keys, _), start in zip(below, starts, strict=True)])
    placed = [(block, part, i if i < cut else cut + shared.index(own[i])) for i, block in enumerate(part.blocks)]
    for (keys, blocks), start, place in zip(below, starts, places, strict=True):
        for block, owner, i in blocks:
            row = shared.index(keys[i]) if i < start else len(shared) + place[i - start]
            placed.append((block, owner, cut + row))
    return own[:cut] + shared + rest, placed


def _leading(keys: Sequence[RowKey]) -> int:
    """How many holders come first."""
    return next((i for i, key in enumerate(keys) if key.kind != "holder"), len(keys))


def _key(block: _Block, part: _Part) -> RowKey:
    if isinstance(block, _Holders):
        return RowKey("holder", block.component, part.first < part.last)
    if isinstance(block, ComputeView):
        return RowKey("compute")
    return RowKey("frame" if part.first < part.last else "loops")


def _settled(
    loops: Sequence[Loops], chips: Sequence[Chip], columns: Sequence[Column], keys: Sequence[RowKey]
) -> list[Loops]:
    """Each Einsum's own loops in that row, of those where they may stand, in which others need most room."""
    taken: dict[int, set[int]] = {c: {column.row} for c, column in enumerate(columns) if column.compute is not None}
    for row, (first, last) in [*((c.row, c.span) for c in chips), *((x.row, x.span) for x in loops)]:
        for c in range(first, last + 1):
            taken.setdefault(c, set()).add(row)
    lines: dict[int, dict[int, int]] = {}  # row -> column -> lines of text
    for run in loops:
        lines.setdefault(run.row, {})[run.span[0]] = run.lines
    result = list(loops)
    for i, run in enumerate(result):
        if run.shared:
            continue
        column = run.span[0]
        above = max((r for r in taken[column] if r < run.row), default=-1)
        below = min((r for r in taken[column] if r > run.row), default=len(keys))
        free = [r for r in range(above + 1, below) if keys[r].kind == "loops"]
        if len(free) == 1:
            continue
        del lines[run.row][column]
        room = {r: max(lines.get(r, {}).values(), default=0) for r in free}
        best = max(free, key=lambda r: (min(room[r], run.lines), r))
        lines.setdefault(best, {})[column] = run.lines
        taken[column] = taken[column] - {run.row} | {best}
        result[i] = attrs.evolve(run, row=best)
    return result


def _lanes(chips: Sequence[Chip]) -> list[Chip]:
    """Give each chip the first lane of its row that is free over its columns."""
    ends: dict[int, list[int]] = {}
    lanes: dict[int, int] = {}
    for i in sorted(range(len(chips)), key=lambda i: (chips[i].span[0], i)):
        first, last = chips[i].span
        row = ends.setdefault(chips[i].row, [])
        lane = next((n for n, end in enumerate(row) if end < first), len(row))
        row[lane : lane + 1] = [last]
        lanes[i] = lane
    return [attrs.evolve(chip, lane=lanes[i]) for i, chip in enumerate(chips)]

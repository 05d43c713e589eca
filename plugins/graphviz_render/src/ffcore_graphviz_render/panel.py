"""One panel of the mapping picture: columns, rows, frames and chips with their places in pixels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ffcore.plugin import LoopView, MappingView, tensor_colours
from ffcore_graphviz_render.arrange import Arrangement, Chip, Column, Loops, Span
from ffcore_graphviz_render.labels import FAINT, INK
from ffcore_graphviz_render.meters import draw_meters
from ffcore_graphviz_render.scene import Box, Run, Scene, width_of
from ffcore_graphviz_render.style import (
    COMPUTE,
    EDGE,
    FAINT_ON_DARK,
    FRAME,
    FRAME_FILL,
    FRAME_INK,
    GAP,
    LEVELS,
    LINE,
    LOOP,
    MAIN,
    MARGIN,
    NEST,
    SMALL,
    SPATIAL,
    SPATIAL_INK,
    STEM,
    TOLL,
    faded,
)

NARROWEST, BROADEST = 80.0, 160.0  # columns, in px
_PAD = 5.0  # inside chips and boxes
_LANE, _CHIP = 20.0, 17.0  # pitch and height of chips
_LINE, _SUBLINE = 15.0, 12.0  # of a loop; of the dimension below a spatial one
_BETWEEN = 4.0  # rows
_HEAD = 36.0  # of a column


@attrs.frozen
class Look:
    """What all panels of a picture have in common."""

    colours: Mapping[str, str]
    widths: tuple[float, ...]  # of the columns
    gutter: float  # for the names of the rows
    dimensions: Mapping[str, str]  # spatial loop's component.dimension -> what to call it

    @classmethod
    def of(cls, view: MappingView, plan: Arrangement) -> Look:
        spatial = {loop.spatial for run in plan.loops for loop in run.loops if loop.spatial}
        short = [name.rpartition(".")[2] for name in spatial]
        names = {name: s if short.count(s) == 1 else name for name, s in zip(spatial, short, strict=True)}
        labels = [Run(level.name, MAIN, bold=True).width for level in view.levels] + [Run("latency", SMALL).width]
        look = cls(tensor_colours(view.tensors), (), min(120.0, max(labels) + 14), names)
        wanted = [look.wanted(plan, i, column) for i, column in enumerate(plan.columns)]
        return attrs.evolve(look, widths=tuple(min(BROADEST, max(NARROWEST, w)) for w in wanted))

    def wanted(self, plan: Arrangement, place: int, column: Column) -> float:
        """The width at which all that belongs to one column alone could be read."""
        lines: list[Sequence[Run]] = [[Run(_name(column), MAIN + 1, bold=True)], [Run(_flow(column), SMALL)]]
        lines += [chip_runs(c) for c in plan.chips if c.used[0] == (place, place)]
        for run in plan.loops:
            if run.span == (place, place):
                for loop in run.loops:
                    first, second = loop_runs(loop), [self.dimension(loop)] if loop.spatial else []
                    (second if loop.spatial else first).extend([Run("  ", SMALL), tile_run(loop)])
                    lines += [first, second]
        return max(width_of(line) for line in lines) + 2 * _PAD

    def dimension(self, loop: LoopView) -> Run:
        """Across what a spatial loop runs."""
        return Run(self.dimensions.get(loop.spatial, ""), SMALL, colour=SPATIAL_INK)


def loop_runs(loop: LoopView) -> list[Run]:
    """``for m ×4``, or with bars for a spatial loop."""
    ink = SPATIAL_INK if loop.spatial else INK
    trips = "?" if loop.trips is None else f"{loop.trips}"
    word = "∥ " if loop.spatial else "for "
    runs = [Run(word, MAIN, colour=ink), Run(loop.variable, MAIN, True, ink), Run(f" ×{trips}", MAIN, colour=ink)]
    return [*runs, Run(f" of {loop.fanout}", SMALL, colour=ink)] if loop.fanout is not None else runs


def tile_run(loop: LoopView) -> Run:
    """The tile of a loop, in small letters."""
    return Run(f"tile {loop.tile}", SMALL, colour=FAINT)


def chip_runs(chip: Chip) -> list[Run]:
    """Name and size of a tile."""
    name = Run(chip.tile.tensor, MAIN, bold=chip.stays)
    return [name, Run(f"  {chip.tile.size}", SMALL)] if chip.tile.size else [name]


def _name(column: Column) -> str:
    return column.compute.einsum if column.compute is not None else "(no compute)"


def _flow(column: Column) -> str:
    compute = column.compute
    if compute is None or not (compute.reads or compute.writes):
        return ""
    copy = "copy of " if compute.is_copy else ""
    return f"{copy}{', '.join(compute.reads)} → {', '.join(compute.writes)}"


@attrs.define
class Panel:
    """Draws the columns of ``span``; what goes on to the left or right of them is cut off there."""

    scene: Scene
    view: MappingView
    plan: Arrangement
    look: Look
    span: Span
    lefts: dict[int, float] = attrs.field(factory=dict, init=False)  # x of the columns
    tops: dict[int, float] = attrs.field(factory=dict, init=False)  # y of the rows
    heights: dict[int, float] = attrs.field(factory=dict, init=False)
    right: float = attrs.field(default=0.0, init=False)

    def draw(self, y: float) -> float:
        """Draw everything from ``y`` down; returns where it ends."""
        self.place_columns()
        y = self.brackets(y)
        head = y
        y = self.place_rows(y + _HEAD + _BETWEEN)
        deepest = max((self.nesting(c) for c in self.columns), default=0)
        self.stems(head)
        self.stripes()
        self.frames(y + NEST * deepest)
        self.heads(head)
        for chip in self.plan.chips:
            self.chip(chip)
        for run in self.plan.loops:
            if not run.shared:
                self.loops(run)
        self.computes()
        end = y + NEST * deepest + _BETWEEN
        if self.view.numbers is None:
            return end
        columns = [(self.lefts[c], self.look.widths[c], _name(self.plan.columns[c])) for c in self.columns]
        return draw_meters(self.scene, self.view, columns, end + 4)

    # -- places -----------------------------------------------------------------------------------

    @property
    def columns(self) -> range:
        return range(self.span[0], self.span[1] + 1)

    def clipped(self, span: Span) -> Span | None:
        """The part of ``span`` in this panel."""
        first, last = max(span[0], self.span[0]), min(span[1], self.span[1])
        return (first, last) if first <= last else None

    def nesting(self, column: int) -> int:
        return sum(f.span[0] <= column <= f.span[1] for f in self.plan.frames)

    def place_columns(self) -> None:
        x = MARGIN + self.look.gutter
        ends = {last for _, last in self.plan.groups()}
        for column in self.columns:
            x += NEST * sum((self.clipped(f.span) or (-1,))[0] == column for f in self.plan.frames)
            self.lefts[column] = x
            x += self.look.widths[column]
            x += NEST * sum((self.clipped(f.span) or (-1, -1))[1] == column for f in self.plan.frames)
            self.right = x + 4
            x += GAP + (6 if column in ends else 0)

    def place_rows(self, y: float) -> float:
        """Put those rows one below the other that have something in this panel."""
        for chip in self.plan.chips:
            if self.clipped(chip.span):
                self.grow(chip.row, (chip.lane + 1) * _LANE + 3)
        for run in self.plan.loops:
            if self.clipped(run.span):
                height = 20 if run.shared else 4 + sum(_LINE + _SUBLINE * bool(x.spatial) for x in run.loops)
                self.grow(run.row, height)
        for column in self.columns:
            if self.plan.columns[column].compute is not None:
                self.grow(self.plan.columns[column].row, 19)
        for row in sorted(self.heights):
            self.tops[row] = y
            y += self.heights[row] + _BETWEEN
        return y

    def grow(self, row: int, height: float) -> None:
        self.heights[row] = max(self.heights.get(row, 0), height)

    def across(self, span: Span) -> tuple[float, float]:
        """Left end and width of some columns of this panel."""
        left = self.lefts[span[0]]
        return left, self.lefts[span[1]] + self.look.widths[span[1]] - left

    # -- what lies behind -------------------------------------------------------------------------

    def brackets(self, y: float) -> float:
        """A bar above each group of Einsums that are fused."""
        groups = [g for g in self.plan.groups() if g[0] < g[1]]
        for group in groups:
            span = self.clipped(group)
            if span is not None:
                x, width = self.across(span)
                n = group[1] - group[0] + 1
                first, last = (_name(self.plan.columns[c]) for c in group)
                about = f"{n} fused Einsums: {first} … {last}"
                self.scene.box(Box(x, y + 14, width, 3, "group", FRAME, about=about))
                text = f"{n} Einsums fused" if span == group else f"{n} Einsums fused, part"
                self.scene.text(x, y + 6, width, [Run(text, SMALL, colour=FRAME_INK)], "center")
        return y + 20 if groups else y

    def stripes(self) -> None:
        """A stripe across the panel for each row of a memory, with its name, size and how full it gets."""
        names = [level.name for level in self.view.levels]
        tolls = {chip.component for chip in self.plan.chips if chip.passes_only}
        seen = set()
        for row, top in self.tops.items():
            key = self.plan.rows[row]
            if key.kind != "holder":
                continue
            place = names.index(key.component) if key.component in names else len(names)
            fill = TOLL if key.component in tolls else LEVELS[min(place, len(LEVELS) - 1)]
            height = self.heights[row]
            facts = self.facts(key.component)
            about = " · ".join([key.component, *facts])
            self.scene.box(Box(MARGIN, top, self.right - MARGIN, height, "level", fill, radius=3, about=about))
            middle = top + height / 2
            width = self.look.gutter - 8
            if facts and key.component not in seen and height >= 34:
                seen.add(key.component)
                middle -= 6 * len(facts)
                for i, fact in enumerate(facts):
                    self.scene.text(MARGIN + 5, middle + 13 + 11 * i, width, [Run(fact, SMALL, colour=FAINT)])
            self.scene.text(MARGIN + 5, middle, width, [Run(key.component, MAIN, bold=True)])

    def facts(self, component: str) -> list[str]:
        level = next((x for x in self.view.levels if x.name == component), None)
        return [level.size] if level is not None and level.size else []

    def stems(self, head: float) -> None:
        """A thin line down each column, so that blank places do not cut it apart."""
        for column in self.columns:
            row = self.plan.columns[column].row
            x = self.lefts[column] + self.look.widths[column] / 2
            if row in self.tops:
                self.scene.box(Box(x - 0.5, head + _HEAD, 1, self.tops[row] - head - _HEAD, "", STEM))

    def frames(self, bottom: float) -> None:
        """What shared loops repeat: drawn once, around all of it."""
        depth: dict[int, int] = {}
        for i, frame in enumerate(self.plan.frames):
            outer = [f for f in self.plan.frames[:i] if f.span[0] <= frame.span[0] and f.span[1] >= frame.span[1]]
            depth[i] = len(outer)
            span = self.clipped(frame.span)
            if span is None or frame.row not in self.tops:
                continue
            inside = [f for f in self.plan.frames[i + 1 :] if frame.span[0] <= f.span[0] <= f.span[1] <= frame.span[1]]
            left = 4 + NEST * sum((self.clipped(f.span) or (-1,))[0] == span[0] for f in inside)
            right = 4 + NEST * sum((self.clipped(f.span) or (-1, -1))[1] == span[1] for f in inside)
            x, width = self.across(span)
            x, width = x - left, width + left + right
            top = self.tops[frame.row]
            about = "; ".join(_sentence(loop) for loop in frame.loops) + ", for all Einsums in the frame"
            height = bottom - NEST * depth[i] - top
            self.scene.box(Box(x, top, width, height, "frame", "none", FRAME, 1.6, about=about))
            self.scene.box(Box(x, top, width, 20, "frame-head", FRAME_FILL, FRAME, 1.6, about=about))
            runs: list[Run] = []
            for loop in frame.loops:
                runs += [*loop_runs(loop), Run("  ", MAIN), tile_run(loop)]
                runs += [Run("  ", SMALL), self.look.dimension(loop)] if loop.spatial else []
                runs.append(Run("     ", MAIN))
            if span != frame.span:
                runs.append(Run("(part)", SMALL, colour=FRAME_INK))
            self.scene.text(x + 7, top + 10, width - 12, runs)

    # -- what stands in the columns ---------------------------------------------------------------

    def heads(self, y: float) -> None:
        for column in self.columns:
            x, width = self.across((column, column))
            content = self.plan.columns[column]
            name, flow = _name(content), _flow(content)
            about = f"{name}: {flow}" if flow else name
            self.scene.box(Box(x, y, width, _HEAD, "einsum", COMPUTE, radius=4, about=about))
            runs = [Run(name, MAIN + 1, bold=True, colour="#ffffff")]
            self.scene.text(x + 4, y + (13 if flow else _HEAD / 2), width - 8, runs, "center")
            self.scene.text(x + 4, y + 27, width - 8, [Run(flow, SMALL, colour=FAINT_ON_DARK)], "center")

    def chip(self, chip: Chip) -> None:
        alive = self.clipped(chip.span)
        if alive is None:
            return
        tile = chip.tile
        y = self.tops[chip.row] + 3 + chip.lane * _LANE
        colour = self.look.colours.get(tile.tensor, "#dddddd")
        size = f", {tile.size}" if tile.size else ""
        stays = ", which is its outermost place" if chip.stays else ""
        about = f"{tile.tensor} in {chip.component}{size}{stays}"
        if chip.used != (chip.span,):
            x, width = self.across(alive)
            self.scene.box(Box(x, y + 4, width, _CHIP - 8, "alive", faded(colour), about=about))
        first = True
        for used in chip.used:
            span = self.clipped(used)
            if span is None:
                continue
            x, width = self.across(span)
            stroke, thick = (INK, 1.6) if chip.stays else (EDGE, 0.8)
            self.scene.box(Box(x, y, width, _CHIP, "chip", colour, stroke, thick, 5, about=about))
            runs = chip_runs(chip) if first else chip_runs(chip)[:1]
            self.scene.text(x + _PAD, y + _CHIP / 2, width - 2 * _PAD, runs, "center")
            first = False

    def loops(self, run: Loops) -> None:
        """A run of one Einsum's own loops, in one box."""
        if self.clipped(run.span) is None:
            return
        x, width = self.across(run.span)
        y = self.tops[run.row]
        height = 4 + sum(_LINE + _SUBLINE * bool(loop.spatial) for loop in run.loops)
        self.scene.box(Box(x, y, width, height, "loops", LOOP, LINE))
        y += 2
        for loop in run.loops:
            high = _LINE + _SUBLINE * bool(loop.spatial)
            kind, fill = ("spatial", SPATIAL) if loop.spatial else ("temporal", LOOP)
            self.scene.box(Box(x + 1, y, width - 2, high, kind, fill, about=_sentence(loop)))
            inner = width - 2 * _PAD
            if loop.spatial:
                self.scene.text(x + _PAD, y + _LINE / 2, inner, loop_runs(loop))
                self.pair(x + _PAD, y + _LINE + 4, inner, [self.look.dimension(loop)], tile_run(loop))
            else:
                self.pair(x + _PAD, y + _LINE / 2, inner, loop_runs(loop), tile_run(loop))
            y += high

    def pair(self, x: float, y: float, width: float, left: Sequence[Run], right: Run) -> None:
        """Text at either end of a line."""
        share = min(right.width + 1, width / 2)
        self.scene.text(x, y, width - share - 3, left)
        self.scene.text(x + width - share, y, share, [right], "right")

    def computes(self) -> None:
        for column in self.columns:
            compute = self.plan.columns[column].compute
            if compute is not None:
                x, width = self.across((column, column))
                y = self.tops[self.plan.columns[column].row]
                about = f"{compute.einsum} on {compute.component}"
                self.scene.box(Box(x, y, width, 19, "compute", COMPUTE, radius=4, about=about))
                runs = [Run(compute.component, SMALL, colour="#ffffff")]
                self.scene.text(x + 4, y + 9.5, width - 8, runs, "center")


def _sentence(loop: LoopView) -> str:
    often = "" if loop.trips is None else f" {loop.trips} times"
    where = f" across {loop.spatial}" if loop.spatial else ""
    limit = f" ({loop.fanout} instances)" if loop.fanout is not None else ""
    return f"{loop.variable}{often}{where}{limit} in tiles of {loop.tile}"

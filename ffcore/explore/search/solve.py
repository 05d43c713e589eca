"""One Einsum: its templates path by path, those that are the same down to the fused cut at once."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import partial

import attrs
import numpy as np

from ffcore.errors import TimeLimitError
from ffcore.explore.first import unfused_first
from ffcore.explore.progress import EinsumProgress
from ffcore.explore.search.beat import Seen, count_nodes, look
from ffcore.explore.search.judging import Backing, Enough, Least
from ffcore.explore.search.kernels import beaten
from ffcore.explore.search.labels import Labeller
from ffcore.explore.search.paths import Paths
from ffcore.explore.search.rows import Candidates, RowMaker, pruned
from ffcore.pmappings.arrays import Floats, Ints
from ffcore.pmappings.rows import Rows, RowShape, TemplateChoice, grouped, places
from ffcore.pmappings.set import EinsumPmappings, PmappingStats
from ffcore.spec.problem import INFINITY, EinsumProblem, MapperOptions
from ffcore.templates import Template
from ffcore.threads import Threads

_PRUNE_EVERY = 1_000_000  # rows
_FEW = 100_000  # labels from which on their number can be told from that of the nodes that have theirs


def explore_einsum(
    einsum: EinsumProblem,
    templates: Sequence[Template],
    shape: RowShape,
    options: MapperOptions,
    slot: EinsumProgress | None = None,
    threads: int = 1,
) -> EinsumPmappings:
    """All Pareto-optimal pmappings of an Einsum.

    ``slot`` counts templates; when time is up what was found so far is returned. ``threads``: how many work on it; the
    result is the same. Raises as ``pulse`` does.
    """
    return explore_within(einsum, templates, shape, options, slot, threads, Scope())[0]


def explore_within(
    einsum: EinsumProblem,
    templates: Sequence[Template],
    shape: RowShape,
    options: MapperOptions,
    slot: EinsumProgress | None,
    threads: int,
    scope: Scope,
) -> tuple[EinsumPmappings, Least | None]:
    """(what `explore_einsum` finds, None), or (what `_look` finds) where labels are more than the ``scope`` allows."""
    work = _Work(len(templates), slot, scope)
    numbers = {c.name: i for i, c in enumerate(places(templates))}
    crew = Threads(threads)
    paths = Paths(einsum, shape, options, work.pulse, crew, scope.enough)
    limited = slot is not None and slot.soft < INFINITY
    least: Least | None = None
    with crew:
        too_many = False
        try:
            for makers in paths.makers(unfused_first(templates) if limited else templates, numbers):
                work.begin(makers)
                for maker in makers:
                    work.add(maker.candidates())
                    work.templates_done(len(maker.outlines))
            work.all_done()
        except TimeLimitError:
            if not work.parts:
                raise
        except _TooManyError:
            too_many = True
        if too_many:  # outside of the handler: what it held may go
            makers = []
            work.begin_again()
            least = _look(paths, templates, numbers, work)
    rows, offsets, jobs = _written(work.parts, shape)
    work.parts.clear()  # labels and what counts them refer to each other, and the next Einsum needs the room
    stats = PmappingStats(0, work.evaluated, len(templates) - work.done)
    return EinsumPmappings(einsum, tuple(templates), jobs, shape, rows, offsets, stats), least


def _look(paths: Paths, templates: Sequence[Template], numbers: dict[str, int], work: _Work) -> Least:
    """The least of any pmapping of an Einsum; infinity where none was found.

    ``work`` has some of them, good ones and whatever they are compatible with.
    """
    seen, instances, backings = Seen(), paths.einsum.n_instances, set[Backing]()
    for own in paths.sorted(templates):
        makers = paths.afresh(own, numbers)
        if not makers:
            continue
        backings |= {maker.backing for maker in makers}
        fewer = list(paths.with_fewer_tiles(own, numbers, makers[0].labeller.columns)) or [makers]
        for some, whole in (*((some, False) for some in fewer), (makers, True)):
            look(some, partial(work.rows, instances), seen, whole)
    work.done = work.templates
    return {backing: np.array(seen.least(backing)) * instances for backing in backings}


@attrs.frozen(eq=False)
class Scope:
    """How much of an Einsum is explored.

    ``most``: so many labels; what will be more is looked at only. ``enough``: what pmappings must not be worse than.
    ``evaluated``: labels that were made of it before.
    """

    most: float = INFINITY
    enough: Enough | None = None
    evaluated: int = 0


class _TooManyError(Exception):
    """More labels than an exploration was to make."""


@attrs.define
class _Work:
    """What was found so far, and how far the work is."""

    templates: int
    slot: EinsumProgress | None
    scope: Scope = attrs.Factory(Scope)
    evaluated: int = attrs.field()
    done: int = 0  # templates
    parts: list[Candidates] = attrs.Factory(list)
    _labeller: Labeller | None = None
    _nodes: int = 0  # of the path at hand
    _before: int = 0  # labels of other paths

    @evaluated.default
    def _evaluated_before(self) -> int:
        return self.scope.evaluated

    def begin(self, makers: Sequence[RowMaker]) -> None:
        """The templates of one more path are taken in hand."""
        if makers and self.scope.most < INFINITY:
            self._labeller, self._before = makers[0].labeller, self.evaluated
            self._nodes = count_nodes(maker.node for maker in makers)

    def begin_again(self) -> None:
        """Nothing that was found counts, and nothing will be too much."""
        self.parts.clear()
        self._labeller, self.done = None, 0
        if self.slot is not None:
            self.slot.begin_again()

    def pulse(self, made: int) -> None:
        """Between two steps: so many labels were made."""
        self.evaluated += made
        if self._labeller is not None:
            here = self.evaluated - self._before
            if here > _FEW and here * self._nodes > self.scope.most * max(1, self._labeller.done):
                raise _TooManyError
        if self.slot is not None:
            self.slot.pulse(lambda: self.evaluated, self.done / self.templates)

    def add(self, found: Candidates | None) -> None:
        """Rows of some templates."""
        if found is not None and self.scope.enough is not None:
            extra = self.scope.enough.extra.get(found.maker.backing, 0.0)
            found = found.take(~beaten(found.values[:, :2] + (extra, 0.0), self.scope.enough.known))
        if found is None or not len(found):
            return
        self.parts.append(found)
        if self.slot is not None:
            self.slot.has_rows = True
        if sum(map(len, self.parts)) > _PRUNE_EVERY:
            self.parts[:] = [p for p in pruned(self.parts)[0] if len(p)]

    def rows(self, instances: float, maker: RowMaker) -> Floats:
        """Make the rows of some templates: their (energy, latency), each of one instance of the Einsum."""
        found = maker.candidates()
        self.add(found)
        return np.zeros((0, 2)) if found is None else found.values[:, :2] / instances

    def templates_done(self, number: int) -> None:
        """So many more templates are done, as far as there are any."""
        for _ in range(min(number, self.templates - self.done)):
            self.done += 1
            if self.slot is not None:
                self.slot.template_done(lambda: self.evaluated)

    def all_done(self) -> None:
        """Nothing is left: the other templates have no rows."""
        rest, self.done = self.templates - self.done, self.templates
        if self.slot is not None:
            for _ in range(rest):
                with suppress(TimeLimitError):
                    self.slot.template_done(lambda: self.evaluated)


def _written(parts: Sequence[Candidates], shape: RowShape) -> tuple[Rows, Ints, tuple[TemplateChoice, ...]]:
    """(rows, offsets of their groups, jobs) of what is Pareto-optimal among all parts."""
    if not parts:
        return Rows.empty(shape), np.zeros(1, np.int64), ()
    jobs: list[TemplateChoice] = []
    written, groups = [], []
    for part, group in zip(*pruned(parts), strict=True):
        if len(part):
            rows, own = part.maker.expand(part, len(jobs))
            jobs.extend(own)
            written.append(rows)
            groups.append(group)
    rows, offsets = grouped(Rows.concatenate(written), np.concatenate(groups))
    return rows, offsets, tuple(jobs)

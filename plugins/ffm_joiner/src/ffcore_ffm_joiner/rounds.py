"""All that a join does: folds of ever more rows (``fold.py``), until no better mapping is left.

0. Rows that cannot be part of a wanted mapping are dropped (``prefilter.py``), the others ordered.
1. Known mappings: the fold is run on rows whose bound is near the least bound, in widening circles,
   until some mapping fits, or one that was given is near; once for energy, once for latency; again
   with all fused loops before the exact fold. Where their product counts, a beam of rows whose weighted
   sum is least (``weighted.py``) takes its place.
2. The exact fold leaves out every row whose bound a known mapping meets (``target.py``).

Where the usage of memories is an objective, there is but one fold, of all rows: bounds are on costs alone. Within a
time limit, mappings are first looked for as if it were none: they are there when time is up.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import attrs
import numpy as np

from ffcore.plugin import JoinedMapping, PmappingSet, Progress, Threads, TimeLimitError, nest_of_row
from ffcore.plugin import Limits as Ends
from ffcore_ffm_joiner.arrays import Memo
from ffcore_ffm_joiner.compatibility import (
    Extent,
    Source,
    sources,
)
from ffcore_ffm_joiner.fold import Choice, Fold, State
from ffcore_ffm_joiner.prefilter import Coarse, coarse, loops_agree, ordered, shallow, within_bounds
from ffcore_ffm_joiner.progress import Reporter
from ffcore_ffm_joiner.target import Target

_FIRST = (1, 2)  # fused loops of the mappings to look for first
_TANGENTS = 3  # pairs of weights at most that mappings are looked for with


class Joined(NamedTuple):
    """Whole mappings, and how they came about."""

    mappings: list[JoinedMapping]
    combined: int  # combinations looked at
    differ: bool  # what shared tensors take is not known exactly, so that ``extent`` counts
    # Of each mapping, the share of each memory; empty if it is no objective, and none when time was up.
    usages: Sequence[dict[str, float]] = ()


def join_all(
    pmappings: PmappingSet,
    progress: Progress | None = None,
    limits: Ends | None = None,
    threads: int = 1,
    extent: Extent = Extent.OWN,
) -> Joined:
    """The Pareto set in energy and latency, and in what memories take where that is an objective, of mappings that fit
    when each shared tensor takes ``extent``.

    Mappings with few fused loops come first: they are quickly found, and bound what more loops have
    to beat. When time is up those known by then are returned as not proven. Raises ``TimeLimitError`` when none are,
    ``MemoryLimitError`` when memory runs out.
    """
    options = pmappings.problem.options
    told = Reporter(progress, options.metrics, len(pmappings.einsums), limits)
    told.at("reading pmappings")
    target = Target.of(options)
    join = _Join(sources(pmappings.einsums, extent), target, told, Threads(threads), extent)
    join.begin_with(pmappings.known)
    first = join
    try:
        with join.threads:
            if target.usage and limits is not None and limits.soft < math.inf:
                first = join.of_costs()
                first.everything()
            join.everything()
    except TimeLimitError:
        some = join.mappings() or first.mappings()
        if not some:
            raise
        return Joined([attrs.evolve(m, proven=False) for m in some], join.combined, join.differ or first.differ)
    told.joined(len(pmappings.einsums), len(join.target.known), "")
    return Joined(join.mappings(), join.combined, join.differ, join.usages())


@attrs.define
class _Join:
    """The mappings known so far, and what all folds need of the pmappings."""

    sources: Sequence[Source]
    target: Target
    told: Reporter
    threads: Threads
    extent: Extent
    coarse: Sequence[Coarse] = attrs.field(init=False)
    combined: int = 0
    differ: bool = False
    # By energy, latency and, if it counts, usage.
    _found: dict[tuple[float, ...], Choice | JoinedMapping] = attrs.Factory(dict)

    def __attrs_post_init__(self) -> None:
        self.coarse = coarse(self.sources, Memo())
        self.differ = any(form.parts for source in self.sources for form in source.forms)

    def of_costs(self) -> _Join:
        """The same where what memories take is no objective, which is much quicker."""
        return _Join(self.sources, attrs.evolve(self.target, usage=False), self.told, self.threads, self.extent)

    def begin_with(self, mappings: Sequence[JoinedMapping]) -> None:
        """Mappings that are known before anything is joined; of no use where what they take counts."""
        if not self.target.usage and mappings:
            self._found = {(m.energy, m.latency): m for m in mappings}
            self.target = self.target.with_known(np.array(list(self._found)))
            self.told.known(self.target.known)

    def everything(self) -> None:
        """Look for all mappings that are wanted.

        Once a mapping is known, the next limit on fused loops is none, unless products are what counts.
        """
        depth = max(int(c.loops.max(initial=0)) for c in self.coarse)
        for loops in () if self.target.usage or self._found else _FIRST:
            if loops < depth and (self.target.product or not len(self.target.known)):
                self.extend(loops, exact=False)
        self.extend(depth, exact=True)

    def extend(self, loops: int, exact: bool) -> None:
        """Look for more mappings among the rows with at most so many fused loops.

        ``exact``: until nothing better is left.
        """
        self.told.at(f"narrowing to what at most {loops} fused loops can make" if not exact else "narrowing")
        fold = _prepared(self.sources, self.coarse, loops, self.target, self.threads, self.extent)
        if fold is None:
            return
        self.differ = self.differ or any(table.differ for table in fold.tensors.values())
        if self.target.product:
            self._near_product(fold)
        if not self.target.usage and (not len(self.target.known) or (exact and not self.target.product)):
            for column in (0, 1):
                self._add(fold, fold.near(column, self.target, self.told))
        if exact:
            self._add(fold, fold.run(self.target, self.told))
        self.combined += fold.combined

    def _near_product(self, fold: Fold) -> None:
        """Look for the least weighted sum: with weights as they are where all is least, then where a mapping is."""
        for _ in range(_TANGENTS):
            fold.weigh(self.target)
            before = self.target.most
            self._add(fold, fold.beam(self.target, self.told))
            if self.target.most >= before:
                break
        fold.weigh(self.target)

    def _add(self, fold: Fold, found: State) -> None:
        self.target = self.target.with_known(found.values[:, :2])
        self.told.known(self.target.known)
        known = set(map(tuple, self.target.known.tolist()))
        compared = fold.usages(found) if self.target.usage else found.values[:, :2]
        for row, costs in enumerate(map(tuple, compared.tolist())):
            if (self.target.usage or costs in known) and costs not in self._found:
                self._found[costs] = fold.choice(found, row)

    def mappings(self) -> list[JoinedMapping]:
        """The known mappings that no other known one matches or betters, ascending in energy.

        Where what memories take counts, those of the one fold there is, which are such a front already.
        """
        return [self._mapping(c[0], c[1], self._found[c]) for c in self._wanted()]

    def usages(self) -> list[dict[str, float]]:
        """Of each of these, the share of each tracked memory where usage is an objective."""
        memories = self.sources[0].pmappings.shape.memories if self.target.usage else ()
        return [dict(zip(memories, c[2:], strict=True)) for c in self._wanted()]

    def _wanted(self) -> list[tuple[float, ...]]:
        return sorted(self._found) if self.target.usage else list(map(tuple, self.target.known.tolist()))

    def _mapping(self, energy: float, latency: float, choice: Choice | JoinedMapping) -> JoinedMapping:
        if isinstance(choice, JoinedMapping):
            return choice
        parts = zip(self.sources, choice.rows, choice.loops, strict=True)
        nests = tuple(nest_of_row(source.pmappings, row, loops) for source, row, loops in parts)
        return JoinedMapping(energy, latency, nests, choice.rows)


def _prepared(
    sources: Sequence[Source], cheap: Sequence[Coarse], loops: int, target: Target, threads: Threads, extent: Extent
) -> Fold | None:
    """A fold of the rows that can still be part of a wanted mapping; None when an Einsum has none."""
    once = Memo()
    rows = shallow(cheap, loops, once)
    if not all(map(len, rows)):
        return None
    rows = within_bounds(sources, cheap, rows, target, once)
    if not all(map(len, rows)):
        return None
    rows = loops_agree(sources, rows, once)
    if not all(map(len, rows)):
        return None
    once = Memo()  # what narrowing made may go
    tables = [ordered(s, r, once) for s, r in zip(sources, rows, strict=True)]
    fold = Fold.of(sources, tables, once, threads, extent)
    return fold if all(len(t.values) for t in fold.tables) else None

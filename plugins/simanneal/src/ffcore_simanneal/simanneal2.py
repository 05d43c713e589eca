"""The published baseline: a population that keeps only improvements, over Pareto-optimal pmappings.

A step draws one pmapping for one Einsum of one member: another row of its group, or a row of another group, to
which the neighbours then have to be repaired. A draw is charged with what it would cost to come by a Pareto-optimal
pmapping by sampling: of the pmappings that were evaluated for an Einsum, the share that is Pareto-optimal says
how many have to be looked at, on average, to find one.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import attrs

from ffcore.plugin import JoinedMapping, NoValidMappingError, PmappingSet
from ffcore_simanneal.budget import Meter
from ffcore_simanneal.joint import Joint, confirm
from ffcore_simanneal.parts import KeyTable, Part
from ffcore_simanneal.repair import Wanted, assemble, repair
from ffcore_simanneal.rows import RowSource, RowSpace
from ffcore_simanneal.tracker import Outcome


@attrs.define(eq=False)
class RowSearch:
    """One population."""

    pmappings: PmappingSet
    charges: Sequence[float]  # evaluations, per Einsum, of one draw
    population: int
    meter: Meter
    seed: str
    joint: Joint = attrs.field(init=False)
    spaces: list[RowSpace] = attrs.field(init=False)
    source: Random = attrs.field(init=False)
    _best: list[Part] | None = None

    def __attrs_post_init__(self) -> None:
        table = KeyTable()
        self.source = Random(self.seed)
        self.joint = Joint(self.pmappings.problem)
        self.spaces = [RowSpace(e, table) for e in self.pmappings.einsums]
        self._check_partners()

    def run(self) -> Outcome:
        """Search until the budget is spent. Raises ``NoValidMappingError`` if no pmappings agree."""
        members: list[tuple[float, list[Part]]] = []
        while not self.meter.done():
            if len(members) < self.population:
                parts = assemble(self.joint, range(len(self.spaces)), self._draw)
                if parts is not None:
                    score = self._judge(parts, math.inf)
                    if score < math.inf:
                        members.append((score, parts))
                        self._note(score, parts)
                continue
            for i, (score, parts) in enumerate(members):
                changed = self._step(parts)
                if changed is not None:
                    better = self._judge(changed, score)
                    if better < score:
                        members[i] = better, changed
                        self._note(better, changed)
                if self.meter.done():
                    break
        return Outcome(tuple(self.meter.samples), self.meter.evaluations, self.meter.seconds, self._mapping())

    def _draw(self, place: int, wanted: Wanted, near: Part | None) -> Part | None:
        """A row among all that agree; charged whether or not there is one."""
        space = self.spaces[place]
        self.meter.charge(self.charges[place])
        numbers = space.matching(wanted)
        if not numbers:
            return None
        return space.any(space.variants[self.source.choice(numbers)], self.source)

    def _step(self, parts: Sequence[Part]) -> list[Part] | None:
        place = self.source.randrange(len(parts))
        space = self.spaces[place]
        changed = list(parts)
        if self.source.random() < 0.5:
            self.meter.charge(self.charges[place])
            changed[place] = space.any(parts[place].source[0], self.source)
            return changed
        drawn = self._draw(place, {}, None)
        if drawn is None:
            return None
        changed[place] = drawn
        return repair(self.joint, changed, [place], self._draw)

    def _judge(self, parts: Sequence[Part], limit: float) -> float:
        """The score if it is below ``limit`` and the mapping is valid, else inf."""
        score = self.joint.score(parts)
        if score >= limit:
            return math.inf
        if self.joint.out_of_order(self.joint.keys(parts)) or self.joint.excess(parts) > 0:
            return math.inf
        return score

    def _note(self, score: float, parts: list[Part]) -> None:
        if self.meter.found(score):
            self._best = parts

    def _mapping(self) -> JoinedMapping | None:
        if self._best is None:
            return None
        sources: list[RowSource] = [part.source[1] for part in self._best]
        rows = tuple(source.row for source in sources)
        nests = [space.nest(source) for space, source in zip(self.spaces, sources, strict=True)]
        # Where runs under other constraints were combined, each Einsum is seen as its run saw it.
        problem = attrs.evolve(self.pmappings.problem, einsums=self.pmappings.einsums_of(rows))
        confirmed = confirm(problem, nests, self._best)
        if confirmed is None:
            raise AssertionError("the model contradicts a join of Pareto-optimal pmappings")
        return attrs.evolve(confirmed, rows=rows)

    def _check_partners(self) -> None:
        """Raise ``NoValidMappingError`` for a shared tensor of which no two Einsums' pmappings agree."""
        for t, users in enumerate(self.joint.users):
            common: set[object] | None = None
            for place in users:
                position = self.joint.tensors[place].index(t)
                own: set[object] = {variant.keys[position] for variant in self.spaces[place].variants}
                common = own if common is None else common & own
            if not common:
                names = " and ".join(self.pmappings.einsums[p].einsum.name for p in users)
                raise NoValidMappingError(
                    f"no pmappings of the Einsums {names} agree on where to keep {self.joint.names[t]} and below which "
                    "loops, so that nothing can be joined"
                )

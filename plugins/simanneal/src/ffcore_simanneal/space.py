"""One Einsum's unpruned pmappings: drawn at random, or to fit keys that other Einsums ask for."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache
from random import Random

import attrs

from ffcore.plugin import EinsumProblem, MapperOptions, Site, SpatialChoice, SpatialMenu, SpatialTable, Template
from ffcore_simanneal.costing import Coster
from ffcore_simanneal.parts import KeyTable, Part
from ffcore_simanneal.place import Placing, place_loops
from ffcore_simanneal.plan import Blocks, Entry, Gene, Plan
from ffcore_simanneal.repair import Wanted

_TRIES = 8  # templates and spatial choices that a draw looks at before it gives up
_LIKE = 0.6  # share of draws that take over tile sizes
_CACHED = 50_000  # pmappings remembered for each Einsum


@lru_cache(maxsize=4096)
def prime_list(n: int) -> tuple[int, ...]:
    """Prime factors of ``n``, each as often as it divides ``n``.

    >>> prime_list(12)
    (2, 2, 3)
    """
    factors, p = [], 2
    while p * p <= n:
        while n % p == 0:
            factors.append(p)
            n //= p
        p += 1
    return (*factors, n) if n > 1 else tuple(factors)


@attrs.frozen(eq=False)
class _Choices:
    """Spatial choices of a template that can fit: rows of a table that it shares with others."""

    table: SpatialTable
    numbers: list[int]

    @classmethod
    def of(cls, menu: SpatialMenu, template: Template) -> _Choices:
        table, numbers = menu.fitting(template)
        return cls(table, numbers.tolist())


@attrs.define(eq=False)
class EinsumSpace:
    """Templates of one Einsum, the plans made of them so far, and parts evaluated so far.

    ``evaluated`` counts each pmapping that was looked at, whether or not it had been before.
    """

    einsum: EinsumProblem
    templates: Sequence[Template]
    options: MapperOptions
    memories: tuple[str, ...]
    table: KeyTable
    evaluated: int = 0
    shared: tuple[str, ...] = attrs.field(init=False)
    usable: list[int] = attrs.field(init=False)  # templates with a spatial choice that can fit
    sites: list[tuple[Site, ...]] = attrs.field(init=False)  # per template, backing sites of the shared tensors
    choices: list[_Choices] = attrs.field(init=False)  # per template
    _numbers: dict[int, int] = attrs.field(init=False)
    _plans: dict[tuple[int, int], Plan] = attrs.field(init=False, factory=dict)
    _costers: dict[Hashable, Coster] = attrs.field(init=False, factory=dict)
    _parts: dict[Hashable, Part | None] = attrs.field(init=False, factory=dict)
    _candidates: dict[Hashable, list[int]] = attrs.field(init=False, factory=dict)

    def __attrs_post_init__(self) -> None:
        self.shared = tuple(t.name for t in self.einsum.tensors if t.name in self.einsum.shared)
        menu = SpatialMenu(self.options)
        self.choices = [_Choices.of(menu, template) for template in self.templates]
        self.usable = [i for i, choices in enumerate(self.choices) if len(choices.numbers)]
        self._numbers = {id(template): i for i, template in enumerate(self.templates)}
        backing = [{s.tensor: s for s in t.sites if s.backing} for t in self.templates]
        self.sites = [tuple(own[name] for name in self.shared) for own in backing]

    def number(self, plan: Plan) -> int:
        """Which template a plan is of."""
        return self._numbers[id(plan.template)]

    def plan(self, template: int, choice: int) -> Plan:
        """The plan of a template under the choice with this number in its table."""
        found = self._plans.get((template, choice))
        if found is None:
            own = self.templates[template]
            chosen = self.choices[template].table.choice(own, choice)
            found = Plan(own, chosen, self._coster(own, chosen), self.options, self.memories, self.table, choice)
            self._plans[template, choice] = found
        return found

    def _coster(self, template: Template, choice: SpatialChoice) -> Coster:
        trips = tuple((s.variable, s.index, s.dimension, n) for s, n in zip(choice.loops, choice.trips, strict=True))
        key = (id(template.components), template.tolls, trips)
        if key not in self._costers:
            self._costers[key] = Coster(self.einsum, template.components, template.tolls, choice)
        return self._costers[key]

    def part(self, plan: Plan, blocks: Blocks) -> Part | None:
        """The pmapping with these loops, evaluated; None if it breaks a limit."""
        self.evaluated += 1
        last = plan.fused_cut + 1
        # The order of loops that are not fused changes nothing.
        name = (*blocks[:last], *(tuple(sorted(entries)) for entries in blocks[last:]))
        key = (id(plan), name)
        if key not in self._parts:
            if len(self._parts) >= _CACHED:
                self._parts.clear()
            self._parts[key] = plan.part(name)
        return self._parts[key]

    # -- drawing ----------------------------------------------------------------------------------

    def draw(self, source: Random, wanted: Wanted, near: Part | None, template: int | None = None) -> Part | None:
        """A pmapping with the wanted keys, of the given or any template; None if none was found.

        With ``near`` it often is of that one's template and takes over its inner tile sizes where it can.
        """
        candidates = self.candidates(wanted) if template is None else [template]
        if not candidates:
            return None
        own = self.number(near.source.plan) if near is not None else -1
        for attempt in range(_TRIES):
            if attempt == 0 and template is None and own in candidates and source.random() < 0.7:
                chosen = own
            else:
                chosen = source.choice(candidates)
            part = self._build(source, chosen, wanted, near if source.random() < _LIKE else None)
            if part is not None:
                return part
        return None

    def candidates(self, wanted: Wanted) -> list[int]:
        """Templates that keep the wanted tensors in the wanted memories, with loops of the wanted kind above."""
        if not wanted:
            return self.usable
        name = tuple(
            sorted(
                (position, key.memory, key.persistent, tuple((ranks, spatial) for ranks, _, _, spatial in key.loops))
                for position, key in wanted.items()
            )
        )
        if name not in self._candidates:
            self._candidates[name] = [t for t in self.usable if self._suits(t, wanted)]
        return self._candidates[name]

    def _suits(self, template: int, wanted: Wanted) -> bool:
        own = self.templates[template]
        for position, key in wanted.items():
            site = self.sites[template][position]
            if own.components[site.index].name != key.memory or site.persistent != key.persistent:
                return False
        placing = self._placing(template, wanted)
        return placing is not None and place_loops(placing, None, None) is not None

    def _placing(self, template: int, wanted: Wanted) -> Placing | None:
        """The wanted loops as those of this Einsum; None if the keys contradict each other."""
        own, sites = self.templates[template], self.sites[template]
        order = sorted(wanted, key=lambda position: (sites[position].cut, len(wanted[position].loops)))
        variables = tuple(self.einsum.bounds)
        longest = wanted[order[-1]].loops if order else ()
        loops: list[tuple[int, int, bool]] = []
        for j, (_, trips, _, spatial) in enumerate(longest):
            found = -1
            for position in reversed(order):
                if j < len(wanted[position].loops):
                    ranks = wanted[position].loops[j][0]
                    if ranks:
                        tensor = self.einsum.tensor[self.shared[position]]
                        found = next((i for i, v in enumerate(variables) if tensor.ranks_of(v) == ranks), -2)
                        break
            if found == -2 or (found == -1 and not spatial):
                return None
            loops.append((found, trips, spatial))
        limits = [(sites[position].cut, len(wanted[position].loops)) for position in order]
        last = sites[order[-1]].index if order else -1
        return Placing(own, tuple(loops), tuple(limits), last, variables)

    def _build(self, source: Random, template: int, wanted: Wanted, near: Part | None) -> Part | None:
        placing = self._placing(template, wanted)
        if placing is None:
            return None
        plan = self._plan_for(source, template, placing, near)
        if plan is None:
            return None
        placed = place_loops(placing, plan.choice, source)
        if placed is None:
            return None
        closed = max((self.sites[template][position].cut for position in wanted), default=0)
        blocks = self._fill(source, plan, placed, closed, near)
        if blocks is None:
            return None
        part = self.part(plan, blocks)
        if part is None or any(part.keys[position] is not key for position, key in wanted.items()):
            return None
        return part

    def _plan_for(self, source: Random, template: int, placing: Placing, near: Part | None) -> Plan | None:
        """A spatial choice that leaves room for the wanted temporal loops: the one of ``near`` if possible."""
        temporal: dict[int, int] = {}
        for v, trips, spatial in placing.loops:
            if not spatial:
                temporal[v] = temporal.get(v, 1) * trips
        choices = self.choices[template]
        tries = source.choices(choices.numbers, k=_TRIES)
        if near is not None and source.random() < 0.8:
            old: Plan = near.source.plan
            if self.choices[self.number(old)].table is choices.table and old.number in choices.numbers:
                tries.insert(0, old.number)
        for number in tries:
            plan = self.plan(template, number)
            if all(plan.iterations[v] % n == 0 for v, n in temporal.items()):
                return plan
        return None

    def _fill(
        self, source: Random, plan: Plan, placed: Sequence[Sequence[Entry]], closed: int, near: Part | None
    ) -> Blocks | None:
        """All remaining work given to loops below cut ``closed``; None if a variable has no loop left."""
        template, options = plan.template, self.options
        blocks = [list(entries) for entries in placed]
        left = list(plan.iterations)
        for entries in blocks:
            for v, n, spatial in entries:
                if spatial < 0:
                    left[v] //= n
        used = {spatial for entries in blocks for _, _, spatial in entries}
        fused = max(closed, plan.fused_cut)
        self._fuse_more(source, plan, blocks, left, closed)
        old = _inner_trips(near) if near is not None else {}
        for v, rest in enumerate(left):
            if rest == 1:
                continue
            slots = [b for b in plan.slots[v] if b >= fused]
            if not slots:
                return None
            for b, n in _spread(source, rest, slots, old.get(plan.variables[v])).items():
                blocks[b + 1].append((v, n, -1))
        for k, (loop, n) in enumerate(zip(plan.choice.loops, plan.choice.trips, strict=True)):
            if k not in used:
                blocks[loop.block + 1].append((plan.variables.index(loop.variable), n, k))
        limit = options.max_fused_loops
        if template.fuses and sum(map(len, blocks[: plan.fused_cut + 1])) > limit:
            return None
        return tuple(tuple(entries) for entries in blocks)

    def _fuse_more(self, source: Random, plan: Plan, blocks: list[list[Entry]], left: list[int], closed: int) -> None:
        """Sometimes, and where work has no other place, loops between cut ``closed`` and the last fused one."""
        template, options = plan.template, self.options
        last = plan.fused_cut
        if closed >= last:
            return
        spatial = sum(template.fuses and loop.block < last for loop in plan.choice.loops)
        room = options.max_fused_loops - spatial
        room -= sum(entry[2] < 0 for entries in blocks[: last + 1] for entry in entries)
        open_slots = [(b, v) for v, own in enumerate(plan.slots) for b in own if closed <= b < last and left[v] > 1]
        forced = [v for v, own in enumerate(plan.slots) if left[v] > 1 and not any(b >= last for b in own)]
        for v in forced:
            mine = [b for b, w in open_slots if w == v]
            if not mine:
                return
            blocks[source.choice(mine) + 1].append((v, left[v], -1))
            left[v] = 1
            room -= 1
        open_slots = [(b, v) for b, v in open_slots if v not in forced]
        while room > 0 and open_slots and source.random() < 0.5:
            b, v = open_slots.pop(source.randrange(len(open_slots)))
            used = [w for entries in blocks[: last + 1] for w, _, _ in entries].count(v)
            if left[v] == 1 or used >= options.max_fused_loops_per_rank_variable:
                continue
            n = random_divisor(source, left[v])
            blocks[b + 1].append((v, n, -1))
            left[v] //= n
            room -= 1


def random_divisor(source: Random, n: int) -> int:
    """A divisor of ``n`` above 1; all of ``n`` a little more often."""
    factors = prime_list(n)
    if source.random() < 0.2:
        return n
    result = 1
    for p in source.sample(factors, source.randint(1, len(factors))):
        result *= p
    return result


def _spread(source: Random, rest: int, slots: Sequence[int], old: Sequence[int] | None) -> Mapping[int, int]:
    """Trips for some of the slots (blocks, outermost first) that multiply to ``rest``.

    ``old``: trips of another nest's loops, innermost first; kept where they divide the work.
    """
    result: dict[int, int] = {}
    if old is not None:
        for slot, n in zip(reversed(slots), old, strict=False):
            common = _gcd(n, rest)
            if common > 1:
                result[slot] = common
                rest //= common
    while rest > 1:
        slot = source.choice(slots)
        n = rest if source.random() < 0.5 else random_divisor(source, rest)
        result[slot] = result.get(slot, 1) * n
        rest //= n
    return result


def _gcd(a: int, b: int) -> int:
    while b:
        a, b = b, a % b
    return a


def _inner_trips(part: Part) -> dict[str, list[int]]:
    """Per rank variable, trips of each of its temporal loops that are not fused, innermost first."""
    gene: Gene = part.source
    plan = gene.plan
    result: dict[str, list[int]] = {}
    for v, name in enumerate(plan.variables):
        trips = {b: 1 for b in plan.slots[v] if b >= plan.fused_cut}
        for b in trips:
            for w, n, spatial in gene.blocks[b + 1]:
                if w == v and spatial < 0:
                    trips[b] = n
        result[name] = [trips[b] for b in sorted(trips, reverse=True)]
    return result

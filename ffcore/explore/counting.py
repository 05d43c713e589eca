"""How large the mapspace is: all tile choices of an Einsum's templates, none of them listed.

A tile choice gives trip counts to the spatial loops of a template and, to each rank variable, a chain of divisors
for its temporal loops. Without further limits the chains of different rank variables are independent, so
that their numbers multiply (`MapspaceCounter.total`). Which of them fit in the memories is counted by going
down the nest with the number of ways in which each state can be reached (`ffcore.explore.ways`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import product

import attrs
import numpy as np
from numpy.typing import NDArray

from ffcore.explore.numbers import divisors, prime_factors
from ffcore.explore.ways import EndFused, Held, Limits, Loop, Reserve, Shape, ShapeLimit, SpatialLoops, Step, ways
from ffcore.spec.problem import LoopBound, MapperOptions
from ffcore.templates import Site, SpatialLoop, Template

Trips = tuple[int, ...]  # per rank variable
_Place = tuple[int, int]  # (component index, dimension)


@lru_cache(maxsize=4096)
def divisor_chains(n: int, loops: int) -> int:
    """Ways to write ``n`` as a product of the trip counts of ``loops`` loops, in order.

    >>> divisor_chains(8, 2)  # the outer of two loops runs 1, 2, 4 or 8 times
    4
    """
    if loops == 0:
        return int(n == 1)
    result = 1
    for prime in prime_factors(n):
        exponent = 0
        while n % prime == 0:
            n, exponent = n // prime, exponent + 1
        result *= math.comb(exponent + loops - 1, loops - 1)
    return result


@attrs.define
class MapspaceCounter:
    """Counts tile choices; templates and Einsums that pose the same problem share the counts."""

    options: MapperOptions
    _total: dict[Hashable, int] = attrs.Factory(dict)
    _valid: dict[Hashable, int] = attrs.Factory(dict)
    _spatial: dict[Hashable, _SpatialTotals] = attrs.Factory(dict)

    def total(self, templates: Sequence[Template]) -> int:
        """Tile choices over all templates, spatial trip counts within fanouts and their own constraints."""
        paths: dict[int, Hashable] = {}  # many templates have the same components
        for template in templates:
            if id(template.components) not in paths:
                paths[id(template.components)] = _dimensions_key(template)
        return sum(self._of_template(template, paths[id(template.components)]) for template in templates)

    def valid(self, templates: Sequence[Template]) -> int:
        """Tile choices whose reservations fit in each memory and that keep ``tile_shape`` and loop limits."""
        if not templates:
            return 0
        bounds = tuple(templates[0].einsum.bounds.values())
        programs = tuple(sorted_programs(templates, self.options))
        key = (bounds, programs)
        if key not in self._valid:
            limits = Limits(self.options.max_fused_loops_per_rank_variable, self.options.max_fused_loops)
            self._valid[key] = ways(bounds, programs, limits, self.total(templates))
        return self._valid[key]

    def _of_template(self, template: Template, path: Hashable) -> int:
        bounds = tuple(template.einsum.bounds.values())
        in_blocks = Counter(v for block in template.blocks for v in block)
        blocks = tuple(in_blocks[v] for v in template.einsum.bounds)
        names = list(template.einsum.bounds)
        spatial = (bounds, path, tuple((names.index(s.variable), s.index, s.dimension) for s in template.spatial))
        key = (blocks, spatial)
        if key not in self._total:
            if spatial not in self._spatial:
                self._spatial[spatial] = _SpatialTotals.of(template, self.options)
            self._total[key] = self._spatial[spatial].with_temporal(bounds, blocks)
        return self._total[key]


def sorted_programs(templates: Sequence[Template], options: MapperOptions) -> list[tuple[Step, ...]]:
    """The steps down each template's nest; neighbours in the list have as much in common as possible."""
    numbers: dict[Step, int] = {}
    programs = [program for template in templates for program in _programs(template, options)]
    for program in programs:
        for step in program:
            numbers.setdefault(step, len(numbers))
    return sorted(programs, key=lambda steps: [numbers[step] for step in steps])


# -- spatial trip counts --------------------------------------------------------------------------


def _dimensions_key(template: Template) -> Hashable:
    """All of the components that the choices of spatial trip counts depend on, rank variables by number."""
    names = list(template.einsum.bounds)

    def limits(bounds: Sequence[LoopBound]) -> Hashable:
        return tuple((frozenset(map(names.index, b.variables & set(names))), b.operator, b.value) for b in bounds)

    return tuple(
        (i, d.fanout, d.usage_scale, limits(d.loop_bounds))
        for i, c in enumerate(template.components)
        for d in c.spatial
    )


def _places(template: Template) -> list[_Place]:
    return [(i, d) for i, c in enumerate(template.components) for d in range(len(c.spatial))]


@attrs.frozen(eq=False)
class _SpatialTotals:
    """Per rank variable, the trips of all its spatial loops -> how many choices come to that."""

    values: tuple[tuple[int, ...], ...]  # per rank variable, the trips that occur
    places: tuple[NDArray[np.int64], ...]  # per rank variable, for each combination which of them
    times: tuple[int, ...]  # for each combination

    @classmethod
    def of(cls, template: Template, options: MapperOptions) -> _SpatialTotals:
        bounds = tuple(template.einsum.bounds.values())
        totals: Counter[Trips] = Counter({(1,) * len(bounds): 1})
        for place in _places(template):
            choices = _dimension_choices(template, place, options)
            extended: Counter[Trips] = Counter()
            for trips, times in totals.items():
                for choice in choices:
                    both = tuple(a * b for a, b in zip(trips, choice, strict=True))
                    if all(b % n == 0 for b, n in zip(bounds, both, strict=True)):
                        extended[both] += times
            totals = extended
        table = np.array(list(totals), np.int64).reshape(len(totals), len(bounds))
        columns = [np.unique(column, return_inverse=True) for column in table.T]
        values = tuple(tuple(found.tolist()) for found, _ in columns)
        return cls(values, tuple(place.reshape(-1) for _, place in columns), tuple(totals.values()))

    def with_temporal(self, bounds: Sequence[int], blocks: Sequence[int]) -> int:
        """Tile choices in all, with ``blocks[i]`` temporal loops over rank variable i."""
        if not self.times:
            return 0
        ways = [
            [divisor_chains(bound // n, loops) for n in trips]
            for bound, loops, trips in zip(bounds, blocks, self.values, strict=True)
        ]
        exact = sum(self.times) * math.prod(map(max, ways)) < 2**63  # else in Python's integers
        result = np.array(self.times, np.int64 if exact else object)
        for column, place in zip(ways, self.places, strict=True):
            result = result * np.array(column, result.dtype)[place]
        return int(result.sum())


def _dimension_choices(template: Template, place: _Place, options: MapperOptions) -> list[Trips]:
    """Trips across one dimension, per rank variable: all that fanout, loop bounds and loop limits allow."""
    dimension = template.components[place[0]].spatial[place[1]]
    bounds = template.einsum.bounds
    candidates = [s.variable for s in template.spatial if (s.index, s.dimension) == place]
    result = []
    for own in _products([(v, bounds[v]) for v in candidates], dimension.most):
        running = sum(n > 1 for n in own.values())
        allowed = running <= options.max_loops_per_spatial_dimension
        if allowed and all(b.allows(n for v, n in own.items() if v in b.variables) for b in dimension.loop_bounds):
            result.append(tuple(own.get(v, 1) for v in bounds))
    return result


def _products(bounds: Sequence[tuple[str, int]], most: float) -> Iterator[dict[str, int]]:
    """A divisor of each bound such that their product is at most ``most``."""
    if not bounds:
        if most >= 1:
            yield {}
        return
    (variable, bound), *rest = bounds
    for n in divisors(bound):
        if n > most:
            break
        for others in _products(rest, most / n):
            yield {variable: n, **others}


# -- a template as steps --------------------------------------------------------------------------


def _programs(template: Template, options: MapperOptions) -> Iterator[tuple[Step, ...]]:
    """One list of steps or, where a memory's instances multiply below its holder, one for each such choice."""
    choices = {place: _dimension_choices(template, place, options) for place in _places(template)}
    fixed = sorted({(s.index, s.dimension) for site in template.sites for s in _misplaced(template, site)})
    for chosen in product(*(choices[place] for place in fixed)):
        yield _Program(template, {**choices, **{p: [c] for p, c in zip(fixed, chosen, strict=True)}}).steps()


def _misplaced(template: Template, site: Site) -> list[SpatialLoop]:
    """Spatial loops inside of a holder that do not divide its tile, or outside and not multiplying it.

    A tile belongs to one instance of its memory, so loops across that memory and all outer components count as if
    they stood above; in the usual order they do.
    """
    cuts = (site.cut, site.reservation)
    return [s for s in template.spatial if any((s.block >= cut) == (s.index <= site.index) for cut in cuts)]


@attrs.define
class _Program:
    """Turns a template into steps. All of them work on extents that count spatial loops further in too."""

    template: Template
    choices: Mapping[_Place, list[Trips]]

    def steps(self) -> tuple[Step, ...]:
        template = self.template
        fused = any(s.backing and s.tensor in template.einsum.shared for s in template.sites)
        last = template.fused_cut if fused else -1
        steps: list[Step] = [*self._spatial(-1, last)]
        for cut in range(len(template.blocks) + 1):
            if cut == max(last, 0):
                steps.append(EndFused())
            steps += self._at(cut)
            if cut < len(template.blocks):
                steps += [Loop(v, self._last(v, cut), cut < last) for v in self._numbers(template.blocks[cut])]
                steps += self._spatial(cut, last)
        return tuple(_joined(steps))

    def _numbers(self, variables: Sequence[str]) -> list[int]:
        order = list(self.template.einsum.bounds)
        return [order.index(v) for v in variables if self.template.einsum.bounds[v] > 1]

    def _last(self, variable: int, block: int) -> bool:
        """Is the temporal loop in ``block`` the last that the variable has?"""
        name = list(self.template.einsum.bounds)[variable]
        later = any(name in b for b in self.template.blocks[block + 1 :])
        return not later and not any(s.variable == name and s.block >= block for s in self.template.spatial)

    def _spatial(self, block: int, last: int) -> Iterator[Step]:
        """The spatial loops at the end of a block, dimension by dimension."""
        template = self.template
        names = list(template.einsum.bounds)
        places = list(dict.fromkeys((s.index, s.dimension) for s in template.spatial if s.block == block))
        if block == -1:  # dimensions without any loop only say whether there is a choice at all
            used = {(s.index, s.dimension) for s in template.spatial}
            places += [p for p in self.choices if p not in used]
        for number, place in enumerate(places):
            final = []
            for i, v in enumerate(names):
                mine = any((s.index, s.dimension) == place and s.variable == v for s in template.spatial)
                later = any(
                    s.variable == v and (s.block > block or (s.index, s.dimension) in places[number + 1 :])
                    for s in template.spatial
                    if s.block >= block
                )
                if mine and not later and not any(v in b for b in template.blocks[max(0, block + 1) :]):
                    final.append(i)
            yield SpatialLoops(tuple(self.choices[place]), tuple(final), block < last)

    def _at(self, cut: int) -> Iterator[Step]:
        """What stands at a cut: limits on tiles, then reservations, memory by memory."""
        template = self.template
        for site in template.sites:
            holding = template.components[site.index].holding
            if site.cut == cut and holding is not None and holding.tile_shape:
                held = self._held(site, cut)
                tensor = template.einsum.tensor[site.tensor]
                names = list(template.einsum.bounds)
                for limit in holding.tile_shape:
                    variables = tuple(names.index(v) for v in names if v in limit.variables & tensor.variables)
                    yield ShapeLimit(variables, attrs.evolve(limit, variables=frozenset()), held.times)
        for index, component in enumerate(template.components):
            here = [s for s in template.sites if s.index == index and s.reservation == cut]
            if here and component.size < math.inf and self._may_overflow(index):
                closing = not any(s.index == index and s.reservation > cut for s in template.sites)
                yield Reserve(index, component.size, tuple(self._held(s, cut) for s in here), closing)

    def _may_overflow(self, index: int) -> bool:
        einsum = self.template.einsum
        component = self.template.components[index]
        tensors = [einsum.tensor[s.tensor] for s in self.template.sites if s.index == index]
        most = sum(t.tile_values(einsum.bounds) * component.width(t) for t in tensors) * max(1.0, einsum.n_instances)
        return most > component.size

    def _held(self, site: Site, cut: int) -> Held:
        """A site's tensor as a function of the extents at its cut."""
        template = self.template
        names = list(template.einsum.bounds)
        tensor = template.einsum.tensor[site.tensor]
        ranks: Shape = tuple(tuple((names.index(v), c) for v, c in rank.terms) for rank in tensor.ranks)
        times = [1.0] * len(names)
        for loop in template.spatial:
            inside, own = loop.block >= cut, loop.index <= site.index
            if inside == own:
                (choice,) = self.choices[loop.index, loop.dimension]
                n = choice[names.index(loop.variable)]
                times[names.index(loop.variable)] *= 1 / n if own else n
        copies = template.einsum.n_instances if site.persistent else 1.0
        return Held(ranks, template.components[site.index].width(tensor) * copies, tuple(times))


def _joined(steps: Sequence[Step]) -> Iterator[Step]:
    """Reservations in one memory with no loop between them count as one."""
    waiting: dict[int, Reserve] = {}
    for step in steps:
        if isinstance(step, Reserve):
            before = waiting.get(step.memory)
            held = before.held if before is not None else ()
            waiting[step.memory] = attrs.evolve(step, held=tuple(sorted((*held, *step.held))))
            continue
        if isinstance(step, Loop | SpatialLoops):
            yield from waiting.values()
            waiting = {}
        yield step
    yield from waiting.values()

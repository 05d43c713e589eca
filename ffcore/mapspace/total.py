"""How large the mapspace is: all tile choices of an Einsum's templates, none of them listed.

A tile choice gives trip counts to the spatial loops of a template and, to each rank variable, a chain of divisors
for its temporal loops. Without further limits the chains of different rank variables are independent, so
that their numbers multiply (`MapspaceCounter.total`). Which of them fit in the memories is counted by going
down the nest with the number of ways in which each state can be reached (`ffcore.mapspace.valid`).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import product

import attrs
import numpy as np

from ffcore.errors import FFError
from ffcore.mapspace.chains import divisor_chains
from ffcore.mapspace.imperfect import ImperfectCounter
from ffcore.mapspace.valid import (
    EXACT,
    Across,
    EndFused,
    Held,
    Limits,
    Loop,
    Reserve,
    Shape,
    ShapeLimit,
    SpatialLoops,
    State,
    Step,
    spatial_ways,
    ways,
)
from ffcore.numbers import divisors
from ffcore.spec.problem import MapperOptions
from ffcore.templates import Site, SpatialLoop, Template

_Place = tuple[int, int]  # (component index, dimension)


@attrs.define
class MapspaceCounter:
    """Counts tile choices; templates and Einsums that pose the same problem share the counts."""

    options: MapperOptions
    _total: dict[Hashable, int] = attrs.Factory(dict)
    _valid: dict[Hashable, int] = attrs.Factory(dict)
    _spatial: dict[Hashable, State] = attrs.Factory(dict)
    _imperfect: ImperfectCounter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._imperfect = ImperfectCounter(self.options)

    def total(self, templates: Sequence[Template]) -> int:
        """Tile choices over all templates, spatial trip counts within fanouts and their own constraints."""
        known: dict[Hashable, tuple[Across, ...]] = {}  # many templates have the same components and candidates
        result = 0
        for template in templates:
            if template.einsum.imperfect:
                result += self._imperfect.tile_choices(template)
                continue
            key = id(template.components), tuple((s.variable, s.index, s.dimension) for s in template.spatial)
            if key not in known:
                known[key] = tuple(_across(template, place, self.options) for place in _places(template))
            result += self._of_template(template, known[key])
        return result

    def valid(self, templates: Sequence[Template]) -> int:
        """Tile choices whose reservations fit in each memory and that keep ``tile_shape`` and loop limits."""
        if not templates:
            return 0
        if templates[0].einsum.imperfect:
            raise FFError(
                f"Einsum {templates[0].einsum.name}: valid pmappings with imperfect factors are not counted: set "
                "mapper.ffm.explore_imperfect_temporal_loops and explore_imperfect_spatial_loops to False"
            )
        bounds = tuple(templates[0].einsum.bounds.values())
        programs = tuple(sorted_programs(templates, self.options))
        key = (bounds, programs)
        if key not in self._valid:
            limits = Limits(self.options.max_fused_loops_per_rank_variable, self.options.max_fused_loops)
            self._valid[key] = ways(bounds, programs, limits, self.total(templates))
        return self._valid[key]

    def _of_template(self, template: Template, dimensions: tuple[Across, ...]) -> int:
        bounds = tuple(template.einsum.bounds.values())
        in_blocks = Counter(v for block in template.blocks for v in block)
        blocks = tuple(in_blocks[v] for v in template.einsum.bounds)
        spatial = bounds, dimensions
        key = blocks, spatial
        if key not in self._total:
            if spatial not in self._spatial:
                self._spatial[spatial] = spatial_ways(bounds, dimensions)
            self._total[key] = _with_temporal(self._spatial[spatial], blocks)
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


def _places(template: Template) -> list[_Place]:
    return [(i, d) for i, c in enumerate(template.components) for d in range(len(c.spatial))]


def _across(template: Template, place: _Place, options: MapperOptions) -> Across:
    """What the loops across one dimension may do."""
    dimension = template.components[place[0]].spatial[place[1]]
    names = list(template.einsum.bounds)
    return Across(
        tuple(names.index(s.variable) for s in template.spatial if (s.index, s.dimension) == place),
        dimension.most,
        options.max_loops_per_spatial_dimension,
        tuple(
            (frozenset(map(names.index, b.variables & set(names))), attrs.evolve(b, variables=frozenset()))
            for b in dimension.loop_bounds
        ),
    )


def _with_temporal(spatial: State, blocks: Sequence[int]) -> int:
    """Tile choices in all, with ``blocks[i]`` temporal loops over rank variable i."""
    if not spatial.ways.size:
        return 0
    result = spatial.ways[0]
    left = list(zip(spatial.axes, blocks, strict=True))
    while left:  # the longest axis first
        place = max(range(len(left)), key=lambda i: len(left[i][0]))
        axis, loops = left.pop(place)
        chains = [divisor_chains(extent, loops) for extent, _ in axis]
        if result.dtype != object and result.max() * sum(chains) >= EXACT:
            result = np.vectorize(int, otypes=[object])(result)
        result = np.tensordot(np.array(chains, result.dtype), result, axes=(0, place))
    return int(result)


# -- a template as steps --------------------------------------------------------------------------


def _programs(template: Template, options: MapperOptions) -> Iterator[tuple[Step, ...]]:
    """One list of steps or, where a memory's instances multiply below its holder, one for each choice of trips."""
    across = {place: _across(template, place, options) for place in _places(template)}
    fixed = sorted({(s.index, s.dimension) for site in template.sites for s in _misplaced(template, site)})
    bounds = tuple(template.einsum.bounds.values())
    for chosen in product(*(_choices(across[place], bounds) for place in fixed)):
        yield _Program(template, {**across, **dict(zip(fixed, chosen, strict=True))}).steps()


def _choices(across: Across, bounds: Sequence[int]) -> list[Across]:
    """The loops across one dimension with their trips decided, for all trips that divide the bounds."""
    trips = _products([bounds[v] for v in across.variables], across.most)
    return [attrs.evolve(across, fixed=chosen) for chosen in trips if across.allows(chosen)]


def _products(bounds: Sequence[int], most: float) -> Iterator[tuple[int, ...]]:
    """A divisor of each bound such that their product is at most ``most``."""
    if not bounds:
        yield ()
        return
    for n in divisors(bounds[0]):
        if n > most:
            break
        for others in _products(bounds[1:], most / n):
            yield (n, *others)


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
    across: Mapping[_Place, Across]

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
            places += [p for p in self.across if p not in used]
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
            yield SpatialLoops(self.across[place], tuple(final), block < last)

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
        return einsum.most_bits(component, tensors) > component.size

    def _held(self, site: Site, cut: int) -> Held:
        """A site's tensor as a function of the extents at its cut."""
        template = self.template
        names = list(template.einsum.bounds)
        tensor = template.einsum.kept(site.tensor, site.backing)
        ranks: Shape = tuple(tuple((names.index(v), c) for v, c in rank.terms) for rank in tensor.ranks)
        times = [1.0] * len(names)
        for loop in template.spatial:
            inside, own = loop.block >= cut, loop.index <= site.index
            if inside == own:
                variable = names.index(loop.variable)
                across = self.across[loop.index, loop.dimension]
                assert across.fixed is not None
                n = across.fixed[across.variables.index(variable)]
                times[variable] *= 1 / n if own else n
        bits = template.einsum.bits(tensor, template.components[site.index], persistent=site.persistent)
        return Held(ranks, bits, tuple(times))


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

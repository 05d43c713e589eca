"""Which explorations the points of a sweep need: Einsums of equal content share one (``explore/reuse/restrict``)."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import or_

import attrs

from ffcore.plugin import (
    ClassMember,
    EinsumClasses,
    EinsumProblem,
    HolderChoice,
    MapperOptions,
    Problem,
    RowShape,
    Stored,
    Template,
    TemplateStock,
    divisors,
    einsum_choices,
    einsum_content,
    einsum_templates,
    free_sizes,
    needs,
    resized,
    row_shapes,
)
from ffcore_sweep.points import Point
from ffcore_sweep.restrict import Preferences, Sizes, prefers_alike


@attrs.frozen(eq=False)
class Need:
    """One Einsum of one point: what it asks of an exploration."""

    einsum: EinsumProblem
    choices: tuple[HolderChoice, ...]
    templates: tuple[Template, ...]
    content: str  # all that an exploration depends on but sizes, fused loops and metrics
    sizes: Sizes  # of memories that may differ from those of other needs of equal content
    shape: RowShape
    options: MapperOptions

    @property
    def key(self) -> tuple[object, ...]:
        """Needs of equal keys in one point are met by the same rows."""
        return (self.content, *self.sizes.items())


@attrs.frozen(eq=False)
class Exploration:
    """What is explored once for several needs: at ``sizes`` that are enough for all of them."""

    stored: Stored
    sizes: Sizes

    @property
    def effort(self) -> float:
        """A rough measure of how long it takes, to begin with what takes longest."""
        choices = math.prod(len(divisors(n)) for n in self.stored.einsum.bounds.values())
        return float(len(self.stored.templates) * choices)


@attrs.frozen(eq=False)
class Plan:
    """The explorations, and per point and Einsum its need and the exploration that meets it."""

    explorations: tuple[Exploration, ...]
    needs: Mapping[int, tuple[tuple[Need, int], ...]]  # by number of the point; index of the exploration


def plan(points: Iterable[Point]) -> Plan:
    """The fewest explorations that are known to be exact, for the points that share pmappings."""
    stocks: dict[str, TemplateStock] = {}
    needed = {p.number: needs_of(p.problem, stocks) for p in points if p.shares}
    contents: dict[str, list[Need]] = {}
    for own in needed.values():
        for need in own:
            contents.setdefault(need.content, []).append(need)
    explorations: list[Exploration] = []
    number: dict[int, int] = {}
    for content, alike in contents.items():
        for group in _groups(alike):
            number.update((id(need), len(explorations)) for need in group)
            explorations.append(exploration_of(group, stocks[content]))
    return Plan(tuple(explorations), {p: tuple((need, number[id(need)]) for need in own) for p, own in needed.items()})


def needs_of(problem: Problem, stocks: dict[str, TemplateStock]) -> list[Need]:
    """The needs of a problem's Einsums; templates of equal content are made once for all problems."""
    options = problem.options
    parts = []
    for einsum in problem.einsums:
        choices = einsum_choices(einsum)
        # Shares that are rounded up are those of one size.
        sizes = {} if options.resource_usage_tolerance else free_sizes(choices)
        blank = resized(choices, dict.fromkeys(sizes, 1.0))
        content = einsum_content(einsum, blank, options, "max_fused_loops", "metrics")
        if content not in stocks:
            stocks[content] = TemplateStock(einsum, choices, einsum_templates(einsum, options, choices))
        parts.append((einsum, choices, content, sizes))
    kinds: dict[object, int] = {}
    first: list[str] = []
    members = []
    for einsum, choices, content, sizes in parts:
        key = (content, *sizes.items())
        if key not in kinds:
            kinds[key] = len(kinds)
            first.append(content)
        members.append(ClassMember(einsum, choices, kinds[key]))
    templates = [stocks[content].of(m.einsum, m.choices) for m, (_, _, content, _) in zip(members, parts, strict=True)]
    of_kind = {m.kind: t for m, t in reversed(list(zip(members, templates, strict=True)))}
    whole = EinsumClasses(tuple(members), tuple(of_kind[k] for k in range(len(first))), tuple(stocks[c] for c in first))
    shapes = row_shapes(problem, whole)
    return [
        Need(einsum, choices, own, content, sizes, shape, options)
        for (einsum, choices, content, sizes), own, shape in zip(parts, templates, shapes, strict=True)
    ]


def _groups(alike: Sequence[Need]) -> list[list[Need]]:
    """Needs of equal content, put together as far as the ``min_usage`` rule allows."""
    by_sizes: dict[tuple[tuple[str, float], ...], list[Need]] = {}
    for need in alike:
        by_sizes.setdefault(tuple(need.sizes.items()), []).append(need)
    if len(by_sizes) == 1:
        return [list(alike)]
    first = alike[0]
    preferences = Preferences.of(first.templates, first.options, first.sizes)
    groups: list[list[tuple[tuple[int, ...], Sizes, list[Need]]]] = []
    for items in sorted(by_sizes, key=lambda items: [size for _, size in items], reverse=True):
        sizes = dict(items)
        entry = (preferences.at(sizes), sizes, by_sizes[items])
        for group in groups:
            both = [*group, entry]
            largest = preferences.at({m: max(s[m] for _, s, _ in both) for m in sizes})
            if all(prefers_alike(own, largest) for own, _, _ in both):
                group.append(entry)
                break
        else:
            groups.append([entry])
    return [[need for _, _, own in group for need in own] for group in groups]


def exploration_of(group: Sequence[Need], stock: TemplateStock) -> Exploration:
    """The exploration that serves all needs of a group: the largest sizes, the most loops, all objectives.

    How much rows take of a memory is an objective where its sizes differ.
    """
    first = group[0]
    enough = needs(first.einsum, first.choices)
    sizes, varied = {}, set()
    for memory in first.sizes:
        own = {need.sizes[memory] for need in group}
        sizes[memory] = max(own)
        if len(own) > 1:  # beyond what can ever be held, sizes are all the same; shares of infinity would say nothing
            varied.add(memory)
            sizes[memory] = min(max(own), max(enough[memory], min(own)))
    options = attrs.evolve(
        first.options,
        max_fused_loops=max(need.options.max_fused_loops for need in group),
        metrics=reduce(or_, (need.options.metrics for need in group)),
        combine_runs=True,  # lists all limited memories
    )
    choices = resized(first.choices, sizes)
    einsum = attrs.evolve(first.einsum)  # a stock takes its own Einsum to have its own sizes
    templates = stock.of(einsum, choices)
    alone = EinsumClasses((ClassMember(einsum, choices, 0),), (templates,), (stock,))
    (shape,) = row_shapes(Problem((einsum,), options), alone)
    wanted = varied | {memory for need in group for memory in need.shape.memories}
    shape = attrs.evolve(shape, memories=tuple(m for m in shape.memories if m in wanted))
    options = attrs.evolve(options, combine_runs=False)
    return Exploration(Stored(einsum, choices, templates, shape, options), {m: sizes[m] for m in sizes})

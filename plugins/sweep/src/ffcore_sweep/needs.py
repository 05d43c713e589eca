"""What points need of explorations: for each Einsum its content, and what else bears on its rows."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from ffcore.plugin import (
    EinsumProblem,
    HolderChoice,
    MapperOptions,
    Problem,
    RowShape,
    Template,
    TemplateFacts,
    TemplateStock,
    divisors,
    einsum_choices,
    einsum_content,
    einsum_templates,
    free_latencies,
    free_sizes,
    resized,
    shapes_of,
)
from ffcore_sweep.kept import Kept

if TYPE_CHECKING:
    from ffcore_sweep.points import Point
    from ffcore_sweep.restrict import Sizes

Latencies = Mapping[str, Mapping[str, float]]  # seconds per action, by component
Key = tuple[Hashable, ...]

_KEPT = 1024  # contents whose templates are kept
_WORTH = 1_000_000  # templates times tiles from which on an explorer that knows what labels have to beat is much faster


@attrs.frozen(eq=False)
class Stock:
    """The templates of Einsums of equal content."""

    templates: TemplateStock
    facts: TemplateFacts
    of_all: tuple[Template, ...]  # in the names and sizes of the first of them

    @classmethod
    def of(cls, einsum: EinsumProblem, choices: Sequence[HolderChoice], options: MapperOptions) -> Stock:
        """Make them."""
        templates = einsum_templates(einsum, options, choices)
        return cls(TemplateStock(einsum, choices, templates), TemplateFacts.of(templates), templates)

    @cached_property
    def effort(self) -> float:
        """A rough measure of how long an exploration takes."""
        if not self.of_all:
            return 0.0
        bounds = self.of_all[0].einsum.bounds.values()
        return float(len(self.of_all) * math.prod(len(divisors(n)) for n in bounds))

    @cached_property
    def competes(self) -> bool:
        """May all rows compete with each other, so that what is known of some makes it much quicker to find others?"""
        return self.effort >= _WORTH and all(t.fused_cut == 0 for t in self.of_all)


@attrs.frozen(eq=False)
class Need:
    """One Einsum of one point: what it asks of an exploration."""

    einsum: EinsumProblem
    choices: tuple[HolderChoice, ...]
    stock: Stock
    content: str  # all that an exploration depends on but sizes, latencies, fused loops and metrics
    sizes: Sizes  # of memories that may differ from those of other needs of equal content
    latencies: Latencies  # of components, likewise
    shape: RowShape
    options: MapperOptions

    @property
    def templates(self) -> tuple[Template, ...]:
        """In the Einsum's own names, with its own components."""
        return self.stock.templates.of(self.einsum, self.choices)

    @property
    def key(self) -> Key:
        """Needs of equal keys in one point are met by the same rows."""
        return (self.content, *keys_of(self.sizes, self.latencies))


def keys_of(sizes: Sizes, latencies: Latencies) -> Key:
    """Sizes and latencies as something to look up by."""
    return tuple(sizes.items()), tuple((name, tuple(form.items())) for name, form in latencies.items())


@attrs.define(eq=False)
class Needs:
    """What points need; what is equal for several of them is found out once."""

    _stocks: Kept[Stock] = attrs.field(factory=lambda: Kept(_KEPT))
    _contents: Kept[str] = attrs.field(factory=lambda: Kept(16 * _KEPT))

    def of(self, point: Point) -> list[Need]:
        """The needs of a point's Einsums, in their order."""
        return self.of_problem(point.problem, point.choices, point.alike)

    def of_problem(
        self,
        problem: Problem,
        choices: Sequence[tuple[HolderChoice, ...]] | None = None,
        alike: Sequence[Hashable] | None = None,
    ) -> list[Need]:
        """``choices``: the Einsums' `einsum_choices`, where they are known. ``alike``: for each Einsum, what is equal
        only for Einsums of equal content."""
        options = problem.options
        given = [einsum_choices(e) for e in problem.einsums] if choices is None else choices
        parts, members = [], []
        for i, (einsum, own) in enumerate(zip(problem.einsums, given, strict=True)):
            sizes, latencies = _free(einsum, own, options)
            content = self._content(einsum, own, options, None if alike is None else alike[i])
            stock = self._stocks.get(content, lambda e=einsum, c=own: Stock.of(e, c, options))  # type: ignore[misc]
            parts.append((einsum, own, stock, content, sizes, latencies))
            members.append((stock.facts, sizes))
        shapes = shapes_of(problem, members)
        return [Need(*part, shape, options) for part, shape in zip(parts, shapes, strict=True)]

    def _content(
        self, einsum: EinsumProblem, choices: Sequence[HolderChoice], options: MapperOptions, alike: Hashable
    ) -> str:
        def made() -> str:
            return content_of(einsum, choices, options)

        if alike is None:
            return made()
        return self._contents.get((alike, _without_loops(options)), made)


def _without_loops(options: MapperOptions) -> MapperOptions:
    default = MapperOptions()
    return attrs.evolve(options, max_fused_loops=default.max_fused_loops, metrics=default.metrics)


def _free(einsum: EinsumProblem, choices: Sequence[HolderChoice], options: MapperOptions) -> tuple[Sizes, Latencies]:
    """Sizes and latencies that explorations may differ in from a problem that they serve."""
    if options.resource_usage_tolerance:  # shares that are rounded up are those of one size
        return {}, {}
    # What leaks is energy, by all latencies together; a law of a plugin sees components as they are.
    latencies = {} if einsum.leaks or einsum.law is not None else free_latencies(choices)
    return free_sizes(choices), latencies


def content_of(einsum: EinsumProblem, choices: Sequence[HolderChoice], options: MapperOptions) -> str:
    """What names an Einsum's explorations, whatever its sizes, latencies, fused loops and metrics."""
    sizes, latencies = _free(einsum, choices, options)
    blank = resized(choices, dict.fromkeys(sizes, 1.0), dict.fromkeys(latencies, ()))
    return einsum_content(einsum, blank, options, "max_fused_loops", "metrics")

"""The constraints of a problem as things that can be lifted one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import attrs

from ffcore.diagnose.relax import evaluated_components, with_components
from ffcore.spec.problem import (
    INFINITY,
    Component,
    EinsumProblem,
    Holding,
    LoopBound,
    MapperOptions,
    Problem,
    SpatialDimension,
    TileShape,
)

Lift = Callable[[Problem], Problem]


@attrs.frozen
class Constraint:
    """One constraint: how a message names it, and the problem without it."""

    text: str
    lift: Lift = attrs.field(eq=False)


def constraints(problem: Problem) -> list[list[Constraint]]:
    """All constraints that can leave an Einsum without a mapping, in tiers, the most particular first."""
    found = list(evaluated_components(problem))
    tiers: tuple[Iterable[Constraint], ...] = (
        (*_holding_lists(found), *_spatial(found)),
        (*_options(problem.options), *_persistent(problem)),
        _keeps(found),
    )
    return [list(dict.fromkeys(tier)) for tier in tiers]


_Found = list[tuple[EinsumProblem, Component]]


def _holding_lists(found: _Found) -> Iterator[Constraint]:
    """``tensor_order_options``, ``no_refetch_from_above``, ``no_resend_to_below``, ``tile_shape``."""
    for name, holdings in _by_component(found).items():
        if any(h.tensor_order_options is not None for h in holdings):
            yield Constraint(f"tensor_order_options of {name}", _holding(name, tensor_order_options=None))
        for field in ("no_refetch_from_above", "no_resend_to_below"):
            tensors = frozenset[str]().union(*(getattr(h, field) for h in holdings))
            if tensors:
                text = f"{field} of {name} ({_names(tensors)})"
                yield Constraint(text, _holding(name, **{field: frozenset()}))
        shapes = list(dict.fromkeys(s for h in holdings for s in h.tile_shape))
        if shapes:
            text = f"tile_shape of {name} ({'; '.join(map(_bound, shapes))})"
            yield Constraint(text, _holding(name, tile_shape=()))


def _spatial(found: _Found) -> Iterator[Constraint]:
    """``loop_bounds``, ``usage_scale``, ``reuse`` and ``min_usage`` of each spatial dimension."""
    dimensions: dict[tuple[str, str], list[SpatialDimension]] = {}
    for _, component in found:
        for d in component.spatial:
            dimensions.setdefault((component.name, d.name), []).append(d)
    for (name, dimension), seen in dimensions.items():
        where = f"spatial dimension {dimension} of {name}"
        for bound in dict.fromkeys(b for d in seen for b in d.loop_bounds):
            yield Constraint(f"loop_bounds of {where} ({_bound(bound)})", _without_bound(name, dimension, bound))
        if any(d.usage_scale > 1 for d in seen):
            yield Constraint(f"usage_scale of {where}", _dimension(name, dimension, usage_scale=1.0))
        reused = frozenset[str]().union(*(d.reuse for d in seen))
        if reused:
            yield Constraint(f"reuse of {where} ({_names(reused)})", _dimension(name, dimension, reuse=frozenset()))
        if any(d.min_usage > 0 for d in seen):
            yield Constraint(f"min_usage of {where}", _dimension(name, dimension, min_usage=0.0))


_FUSION = ("max_fused_loops", "max_fused_loops_per_rank_variable")
_OTHER = ("max_loops_per_spatial_dimension", "max_pmapping_templates_per_einsum")


def fusion_limits(options: MapperOptions) -> list[Constraint]:
    """The limits on fused loops that are finite."""
    return [_limit(options, name) for name in _FUSION if getattr(options, name) < INFINITY]


def _options(options: MapperOptions) -> Iterator[Constraint]:
    yield from fusion_limits(options)
    yield from (_limit(options, name) for name in _OTHER if getattr(options, name) < INFINITY)
    if options.force_memory_hierarchy_order:
        yield Constraint("force_memory_hierarchy_order", _option(force_memory_hierarchy_order=False))


def _limit(options: MapperOptions, name: str) -> Constraint:
    return Constraint(f"{name} = {getattr(options, name):g}", _option(**{name: INFINITY}))


def _persistent(problem: Problem) -> Iterator[Constraint]:
    names = dict.fromkeys(t.name for e in problem.einsums for t in e.tensors if t.persistent)
    if names:
        yield Constraint(f"persistent tensors ({', '.join(names)})", _transient)


def _keeps(found: _Found) -> Iterator[Constraint]:
    """What memories and Tolls must hold, and what they must not."""
    universe: dict[str, frozenset[str]] = {}
    for einsum, component in found:
        names = universe.get(component.name, frozenset())
        universe[component.name] = names | frozenset(t.name for t in einsum.tensors)
    for name, holdings in _by_component(found).items():
        must = frozenset[str]().union(*(h.must | h.back for h in holdings))
        if must:
            yield Constraint(f"keep of {name} ({_names(must)})", _change_holding(name, _optional))
    for name, holdings in _by_component(found).items():
        never = universe[name] - frozenset[str]().union(*(h.must | h.may for h in holdings))
        if never:
            yield Constraint(f"may_keep of {name} (it may not keep {_names(never)})", _anything(name))


# ---- lifting


def _by_component(found: _Found) -> dict[str, list[Holding]]:
    result: dict[str, list[Holding]] = {}
    for _, component in found:
        if component.holding is not None:
            result.setdefault(component.name, []).append(component.holding)
    return result


def _option(**values: Any) -> Lift:
    def lift(problem: Problem) -> Problem:
        return attrs.evolve(problem, options=attrs.evolve(problem.options, **values))

    return lift


def _transient(problem: Problem) -> Problem:
    def einsum_with(einsum: EinsumProblem) -> EinsumProblem:
        return attrs.evolve(einsum, tensors=tuple(attrs.evolve(t, persistent=False) for t in einsum.tensors))

    return attrs.evolve(problem, einsums=tuple(map(einsum_with, problem.einsums)))


def _change_holding(name: str, change: Callable[[EinsumProblem, Holding], Holding]) -> Lift:
    def changed(einsum: EinsumProblem, component: Component) -> Component:
        if component.name != name or component.holding is None:
            return component
        return attrs.evolve(component, holding=change(einsum, component.holding))

    return lambda problem: with_components(problem, changed)


def _holding(name: str, **values: Any) -> Lift:
    return _change_holding(name, lambda einsum, holding: attrs.evolve(holding, **values))


def _optional(einsum: EinsumProblem, holding: Holding) -> Holding:
    may = holding.may | holding.must | holding.back
    return attrs.evolve(holding, must=frozenset(), back=frozenset(), may=may)


def _anything(name: str) -> Lift:
    def all_but_must(einsum: EinsumProblem, holding: Holding) -> Holding:
        return attrs.evolve(holding, may=frozenset(t.name for t in einsum.tensors) - holding.must)

    return _change_holding(name, all_but_must)


def _change_dimension(name: str, dimension: str, change: Callable[[SpatialDimension], SpatialDimension]) -> Lift:
    def changed(einsum: EinsumProblem, component: Component) -> Component:
        if component.name != name:
            return component
        spatial = tuple(change(d) if d.name == dimension else d for d in component.spatial)
        return attrs.evolve(component, spatial=spatial)

    return lambda problem: with_components(problem, changed)


def _dimension(name: str, dimension: str, **values: Any) -> Lift:
    return _change_dimension(name, dimension, lambda d: attrs.evolve(d, **values))


def _without_bound(name: str, dimension: str, bound: LoopBound) -> Lift:
    def without(d: SpatialDimension) -> SpatialDimension:
        return attrs.evolve(d, loop_bounds=tuple(b for b in d.loop_bounds if b != bound))

    return _change_dimension(name, dimension, without)


def _bound(bound: LoopBound | TileShape) -> str:
    return f"{_names(bound.variables)} {bound.operator} {bound.value:.15g}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

"""The constraints of a problem as things that can be lifted one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import attrs

from ffcore.diagnose.relax import evaluated_components, with_components
from ffcore.spec.problem import (
    INFINITY,
    Bound,
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

# What limits a search, by the fields of a spec that state it, said once for the diagnosis and for `ff explain`.
FUSION_LIMITS = ("max_fused_loops", "max_fused_loops_per_rank_variable")
LIMITING_OPTIONS = (*FUSION_LIMITS, "max_loops_per_spatial_dimension", "max_pmapping_templates_per_einsum")
LIMITING_SETS = ("no_refetch_from_above", "no_resend_to_below")  # tensors of a memory; the empty set is no limit
LIMITING_SHARES = {"min_usage": 0.0, "usage_scale": 1.0}  # of a spatial dimension -> where they limit nothing


@attrs.frozen
class Constraint:
    """One constraint: how a message names it, the spec field that states it, and the problem without it."""

    text: str
    path: str  # as `Spec.set` takes it; an item of a list by its number
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
            lift = _holding(name, tensor_order_options=None)
            yield Constraint(f"tensor_order_options of {name}", _tensors(name, "tensor_order_options"), lift)
        for field in LIMITING_SETS:
            tensors = frozenset[str]().union(*(getattr(h, field) for h in holdings)) - _further(found)
            if tensors:
                text = f"{field} of {name} ({_names(tensors)})"
                yield Constraint(text, _tensors(name, field), _holding(name, **{field: frozenset()}))
        for number, shapes in _by_number([h.tile_shape for h in holdings]).items():
            text = f"tile_shape of {name} ({'; '.join(map(_bound, shapes))})"
            yield Constraint(text, f"{_tensors(name, 'tile_shape')}.{number}", _without_shape(name, number))


def _spatial(found: _Found) -> Iterator[Constraint]:
    """``loop_bounds``, ``usage_scale``, ``reuse`` and ``min_usage`` of each spatial dimension."""
    dimensions: dict[tuple[str, str], list[SpatialDimension]] = {}
    for _, component in found:
        for d in component.spatial:
            dimensions.setdefault((component.name, d.name), []).append(d)
    for (name, dimension), seen in dimensions.items():
        where, path = f"spatial dimension {dimension} of {name}", f"arch.nodes.{name}.spatial.{dimension}"
        for number, bounds in _by_number([d.loop_bounds for d in seen]).items():
            text = f"loop_bounds of {where} ({'; '.join(map(_bound, bounds))})"
            yield Constraint(text, f"{path}.loop_bounds.{number}", _without_bound(name, dimension, number))
        reused = frozenset[str]().union(*(d.reuse for d in seen)) - _further(found)
        if reused:
            lift = _dimension(name, dimension, reuse=frozenset())
            yield Constraint(f"reuse of {where} ({_names(reused)})", f"{path}.reuse", lift)
        for field, free in LIMITING_SHARES.items():
            if any(getattr(d, field) > free for d in seen):
                yield Constraint(f"{field} of {where}", f"{path}.{field}", _dimension(name, dimension, **{field: free}))


def fusion_limits(options: MapperOptions) -> list[Constraint]:
    """The limits on fused loops that are finite."""
    return [_limit(options, name) for name in FUSION_LIMITS if getattr(options, name) < INFINITY]


def _options(options: MapperOptions) -> Iterator[Constraint]:
    yield from (_limit(options, name) for name in LIMITING_OPTIONS if getattr(options, name) < INFINITY)
    if options.force_memory_hierarchy_order:
        lift = _option(force_memory_hierarchy_order=False)
        yield Constraint("force_memory_hierarchy_order", "mapper.ffm.force_memory_hierarchy_order", lift)


def _limit(options: MapperOptions, name: str) -> Constraint:
    return Constraint(f"{name} = {getattr(options, name):g}", f"mapper.ffm.{name}", _option(**{name: INFINITY}))


def _persistent(problem: Problem) -> Iterator[Constraint]:
    names = dict.fromkeys(t.base for e in problem.einsums for t in e.tensors if t.persistent)
    if names:
        yield Constraint(f"persistent tensors ({', '.join(names)})", "workload.persistent_tensors", _transient)


def _keeps(found: _Found) -> Iterator[Constraint]:
    """What memories and Tolls must hold, and what they must not."""
    universe: dict[str, frozenset[str]] = {}
    further = _further(found)
    for einsum, component in found:
        names = universe.get(component.name, frozenset())
        universe[component.name] = names | frozenset(t.name for t in einsum.tensors)
    for name, holdings in _by_component(found).items():
        must = frozenset[str]().union(*(h.must | h.back for h in holdings)) - further
        if must:
            field = "keep" if any(h.must - h.back for h in holdings) else "back"
            lift = _change_holding(name, _optional)
            yield Constraint(f"{field} of {name} ({_names(must)})", _tensors(name, field), lift)
    for name, holdings in _by_component(found).items():
        never = universe[name] - frozenset[str]().union(*(h.must | h.may for h in holdings)) - further
        if never:
            text = f"may_keep of {name} (it may not keep {_names(never)})"
            yield Constraint(text, _tensors(name, "may_keep"), _anything(name))


def _further(found: _Found) -> frozenset[str]:
    """The accesses after the first of tensors that are read in several ways: a user knows them as the tensor alone."""
    return frozenset(t.name for einsum, _ in found for t in einsum.tensors if t.access_of is not None)


def _tensors(name: str, field: str) -> str:
    return f"arch.nodes.{name}.tensors.{field}"


_Limit = TypeVar("_Limit", LoopBound, TileShape)


def _by_number(lists: Iterable[tuple[_Limit, ...]]) -> dict[int, list[_Limit]]:
    """The different limits at each place of the list: of one in the spec there may be one for each Einsum."""
    found: dict[int, dict[_Limit, None]] = {}
    for limits in lists:
        for number, limit in enumerate(limits):
            if limit.value != INFINITY:  # else it has been lifted
                found.setdefault(number, {})[limit] = None
    return {number: list(found[number]) for number in sorted(found)}


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


def _without_bound(name: str, dimension: str, number: int) -> Lift:
    return _change_dimension(name, dimension, lambda d: attrs.evolve(d, loop_bounds=_lifted(d.loop_bounds, number)))


def _without_shape(name: str, number: int) -> Lift:
    return _change_holding(
        name, lambda _, holding: attrs.evolve(holding, tile_shape=_lifted(holding.tile_shape, number))
    )


def _lifted(limits: tuple[_Limit, ...], number: int) -> tuple[_Limit, ...]:
    """The limits with that of this number allowing everything: the numbers of the others stay."""
    return tuple(attrs.evolve(b, operator="<=", value=INFINITY) if n == number else b for n, b in enumerate(limits))


def _bound(bound: Bound) -> str:
    return f"{_names(bound.variables)} {bound.operator} {bound.value:.15g}"


def _names(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))

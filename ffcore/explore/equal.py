"""Equal Einsums: same structure under other names, so that one exploration serves all of them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import attrs

from ffcore.explore.rows import RowShape
from ffcore.spec.problem import Component, EinsumProblem, LoopBound, TileShape
from ffcore.templates import Template


@attrs.frozen
class _Names:
    """Positions in place of names."""

    variables: dict[str, int]
    tensors: dict[str, int]

    def set(self, names: Iterable[str]) -> frozenset[int]:
        return frozenset(self.tensors[n] for n in names if n in self.tensors)


def signature(einsum: EinsumProblem, templates: Sequence[Template], shape: RowShape) -> Hashable:
    """All that the rows of an Einsum depend on, with positions for names: equal signatures, equal rows."""
    names = _Names({v: i for i, v in enumerate(einsum.bounds)}, {t.name: i for i, t in enumerate(einsum.tensors)})
    tensors = tuple(
        (
            tuple((tuple((names.variables[v], c) for v, c in r.terms), r.constant) for r in t.ranks),
            t.output,
            t.bits_per_value,
            t.persistent,
            t.name in einsum.shared,
            t.name in einsum.intermediates,
        )
        for t in einsum.tensors
    )
    seen: dict[int, Hashable] = {}
    listed = tuple(_template(t, names, seen) for t in templates)
    rest = (tuple(einsum.bounds.values()), einsum.leaks, einsum.is_copy, einsum.n_instances)
    return (rest, tensors, listed, shape.memories, shape.depth, shape.cuts)


def _template(template: Template, names: _Names, seen: dict[int, Hashable]) -> Hashable:
    components = template.components
    if id(components) not in seen:
        seen[id(components)] = tuple(_component(c, names) for c in components)
    v, t = names.variables, names.tensors
    return (
        seen[id(components)],
        tuple((t[s.tensor], s.index, s.cut, s.reservation, s.backing, s.persistent) for s in template.sites),
        tuple((t[s.tensor], s.index) for s in template.tolls),
        tuple(tuple(v[x] for x in block) for block in template.blocks),
        tuple((v[s.variable], s.index, s.dimension, s.block) for s in template.spatial),
    )


def _component(c: Component, names: _Names) -> Hashable:
    shapes = c.holding.tile_shape if c.holding is not None else ()
    return (
        c.name,
        c.kind,
        tuple((a.name, a.energy, tuple(a.values_per_action.get(t, 1.0) for t in names.tensors)) for a in c.actions),
        tuple(tuple(sorted(form.items())) for form in c.latency),
        tuple(
            (
                d.name,
                d.fanout,
                names.set(d.reuse),
                names.set(d.may_reuse),
                d.min_usage,
                d.usage_scale,
                d.power_gateable,
                _limits(d.loop_bounds, names),
            )
            for d in c.spatial
        ),
        c.size,
        _limits(shapes, names),
        tuple(c.bits_per_value.get(t) for t in names.tensors),
        c.charges_up,
        c.charges_down,
        c.skip_initial_output_write,
        c.computes_copies,
    )


def _limits(limits: Sequence[LoopBound] | Sequence[TileShape], names: _Names) -> Hashable:
    return tuple(
        (frozenset(names.variables.get(v, -1) for v in limit.variables), limit.operator, limit.value)
        for limit in limits
    )

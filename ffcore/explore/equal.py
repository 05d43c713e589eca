"""Equal Einsums: same structure under other names, so that one set of templates and one exploration serve all of them.

They are found before there are templates, which then need to be made once only.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence

import attrs

from ffcore.explore.memory import uncollected
from ffcore.model.law import key_of
from ffcore.phases import phase
from ffcore.spec.problem import Bound, Component, EinsumProblem, Holding, Problem
from ffcore.templates import HolderChoice, Template, TemplateStock, einsum_choices, einsum_templates


@attrs.frozen(eq=False)
class Member:
    """One Einsum among its equals."""

    einsum: EinsumProblem
    choices: tuple[HolderChoice, ...]
    kind: int  # equal Einsums have the same


@attrs.frozen(eq=False)
class Kinds:
    """The Einsums of a problem, with the templates of one of each kind."""

    members: tuple[Member, ...]  # in workload order
    templates: tuple[tuple[Template, ...], ...]  # per kind, in the names of the first of the kind
    _stocks: tuple[TemplateStock, ...]

    @classmethod
    def of(cls, problem: Problem) -> Kinds:
        """Find out which Einsums are equal, and make the templates of each kind."""
        templates: list[tuple[Template, ...]] = []
        stocks: list[TemplateStock] = []
        with phase("templates"), uncollected():
            members = members_of(problem.einsums)
            for member in members:
                if member.kind == len(templates):
                    templates.append(einsum_templates(member.einsum, problem.options, member.choices))
                    stocks.append(TemplateStock(member.einsum, member.choices, templates[member.kind]))
        return cls(members, tuple(templates), tuple(stocks))

    def templates_of(self, member: Member) -> tuple[Template, ...]:
        """The Einsum's templates in its own names."""
        return self._stocks[member.kind].of(member.einsum, member.choices)


def members_of(einsums: Iterable[EinsumProblem]) -> tuple[Member, ...]:
    """The kind of each Einsum: numbers from 0, in order of the first of each kind."""
    numbers: dict[Hashable, int] = {}
    components: dict[Hashable, int] = {}
    members = []
    for einsum in einsums:
        choices = einsum_choices(einsum)
        kind = numbers.setdefault(signature(einsum, choices, components), len(numbers))
        members.append(Member(einsum, choices, kind))
    return tuple(members)


@attrs.frozen
class _Names:
    """Positions in place of names."""

    variables: dict[str, int]
    tensors: dict[str, int]

    def set(self, names: Iterable[str]) -> frozenset[int]:
        return frozenset(self.tensors[n] for n in names if n in self.tensors)


def signature(einsum: EinsumProblem, choices: Sequence[HolderChoice], known: dict[Hashable, int]) -> Hashable:
    """All that an Einsum's templates and rows depend on, with positions for names.

    Of two Einsums of one problem with equal signatures, the templates are equal but for names and the rows are equal.
    Exact: what templates are made from is the Einsum's structure and the components of each choice of holders, what
    rows are made from is the same and the row shape, which is common to the problem. ``known`` numbers what
    components say, and is to be the same for all Einsums.
    """
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
    seen: dict[int, int] = {}

    def number(component: Component) -> int:
        if id(component) not in seen:
            seen[id(component)] = known.setdefault(_component(component, names), len(known))
        return seen[id(component)]

    listed = tuple(
        (
            tuple(number(c) for c in choice.components),
            tuple((index, tuple(names.tensors[t] for t in taken)) for index, taken in choice.held),
            tuple((index, tuple(names.tensors[t] for t in taken)) for index, taken in choice.tolls),
        )
        for choice in choices
    )
    # A law of a plugin sees names.
    law = None if einsum.law is None else (key_of(einsum.law), tuple(einsum.tensor))
    return (tuple(einsum.bounds.values()), einsum.leaks, einsum.is_copy, einsum.n_instances, law, tensors, listed)


def _component(c: Component, names: _Names) -> Hashable:
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
        None if c.holding is None else _holding(c.holding, names),
        tuple(c.bits_per_value.get(t) for t in names.tensors),
        c.charges_up,
        c.charges_down,
        c.skip_initial_output_write,
        c.computes_copies,
    )


def _holding(holding: Holding, names: _Names) -> Hashable:
    options = holding.tensor_order_options
    return (
        names.set(holding.must),
        names.set(holding.may),
        names.set(holding.back),
        names.set(holding.no_refetch_from_above),
        names.set(holding.no_resend_to_below),
        None if options is None else tuple(tuple(names.set(group) for group in option) for option in options),
        _limits(holding.tile_shape, names),
        holding.force_memory_hierarchy_order,
    )


def _limits(limits: Sequence[Bound], names: _Names) -> Hashable:
    return tuple(
        (frozenset(names.variables.get(v, -1) for v in limit.variables), limit.operator, limit.value)
        for limit in limits
    )

"""Equal Einsums: same structure under other names, so that one set of templates and one exploration serve all of them.

They are found before there are templates, which then need to be made once only.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence

import attrs

from ffcore.explore.memory import uncollected
from ffcore.explore.reuse.bypass import useful
from ffcore.explore.reuse.keys import Positions, key_of
from ffcore.model.law import key_of as law_key
from ffcore.phases import phase
from ffcore.spec.problem import Component, EinsumProblem, Problem
from ffcore.templates import HolderChoice, Template, TemplateStock, einsum_choices, einsum_templates


@attrs.frozen(eq=False)
class ClassMember:
    """One Einsum among its equals."""

    einsum: EinsumProblem
    choices: tuple[HolderChoice, ...]
    kind: int  # equal Einsums have the same


@attrs.frozen(eq=False)
class EinsumClasses:
    """The Einsums of a problem, with the templates of one of each kind."""

    members: tuple[ClassMember, ...]  # in workload order
    templates: tuple[tuple[Template, ...], ...]  # per kind, in the names of the first of the kind
    _stocks: tuple[TemplateStock, ...]

    @classmethod
    def of(cls, problem: Problem, pulse: Callable[[], None] | None = None) -> EinsumClasses:
        """Find out which Einsums are equal, and make the templates of each kind; raises what ``pulse`` raises."""
        templates: list[tuple[Template, ...]] = []
        stocks: list[TemplateStock] = []
        with phase("templates"), uncollected():
            members = tuple(
                attrs.evolve(m, choices=useful(m.einsum, m.choices, problem.options))
                for m in members_of(problem.einsums, pulse)
            )
            for member in members:
                if member.kind == len(templates):
                    templates.append(einsum_templates(member.einsum, problem.options, member.choices, pulse))
                    stocks.append(TemplateStock(member.einsum, member.choices, templates[member.kind]))
        return cls(members, tuple(templates), tuple(stocks))

    def templates_of(self, member: ClassMember) -> tuple[Template, ...]:
        """The Einsum's templates in its own names."""
        return self._stocks[member.kind].of(member.einsum, member.choices)


def members_of(einsums: Iterable[EinsumProblem], pulse: Callable[[], None] | None = None) -> tuple[ClassMember, ...]:
    """The kind of each Einsum: numbers from 0, in order of the first of each kind."""
    numbers: dict[Hashable, int] = {}
    components: dict[Hashable, int] = {}
    members = []
    for einsum in einsums:
        choices = einsum_choices(einsum, pulse)
        kind = numbers.setdefault(signature(einsum, choices, components), len(numbers))
        members.append(ClassMember(einsum, choices, kind))
    return tuple(members)


def signature(einsum: EinsumProblem, choices: Sequence[HolderChoice], known: dict[Hashable, int]) -> Hashable:
    """All that an Einsum's templates and rows depend on, with positions for names.

    Of two Einsums of one problem with equal signatures, the templates are equal but for names and the rows are equal.
    Exact: what templates are made from is the Einsum's structure and the components of each choice of holders, what
    rows are made from is the same and the row shape, which is common to the problem. ``known`` numbers what
    components say, and is to be the same for all Einsums.
    """
    tensors = {t.name: i for i, t in enumerate(einsum.tensors)}
    names = Positions({v: i for i, v in enumerate(einsum.bounds)}, tensors)
    seen: dict[int, int] = {}

    def number(component: Component) -> int:
        if id(component) not in seen:
            seen[id(component)] = known.setdefault(key_of(component, names), len(known))
        return seen[id(component)]

    listed = tuple(
        (
            tuple(number(c) for c in choice.components),
            tuple((index, tuple(tensors[t] for t in taken)) for index, taken in choice.held),
            tuple((index, tuple(tensors[t] for t in taken)) for index, taken in choice.tolls),
        )
        for choice in choices
    )
    # A law of a plugin sees names. What paths lead to is in the choices.
    law = None if einsum.law is None else (law_key(einsum.law), tuple(tensors))
    return key_of(einsum, names, frozenset({"paths", "law"})), law, listed

"""Workload: the Einsums, their tensors and the sizes of their ranks, as the user wrote them."""

# ruff: noqa: RUF009 - spec_field makes attrs fields, whose defaults are not shared
from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.errors import ErrorCollector, Position, SpecError, suggest
from ffcore.spec.convert import flatten
from ffcore.spec.einsum_text import AccessText, as_projection, parse_einsum
from ffcore.spec.fields import (
    Data,
    Expression,
    Flag,
    Many,
    One,
    SpecNode,
    Table,
    Text,
    Value,
    forget_position,
    pure_number,
    spec_field,
)
from ffcore.spec.ignored import without_ignored
from ffcore.spec.renames import EinsumRenames
from ffcore.spec.source.nodes import Node, YamlMap, YamlScalar, YamlSeq, to_plain

if TYPE_CHECKING:
    from ffcore.render.rendering import Rendering
    from ffcore.spec.spec import Spec

MAX_EINSUMS, MAX_ACCESSES = 2000, 20_000
"""Einsums of a workload, and tensors of all of them together, counted in each."""


def check_length(einsums: int, accesses: int, place: Position | None) -> None:
    """Raise SpecError for a workload that it would take minutes to look at."""
    for number, what, most in ((einsums, "Einsums", MAX_EINSUMS), (accesses, "tensors in its Einsums", MAX_ACCESSES)):
        if number > most:
            message = f"the workload has {number:,} {what}, more than {most:,}: map parts of it on their own"
            raise SpecError.one(message, place)


def _as_bounds(value: object) -> dict[str, Expression] | list[str]:
    """Check the form of ``iteration_space_shape``: a dict by rank variable, or a list of bounds."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(v, str) for v in value):
        return list(value)
    raise SpecError.one("expected a list such as ['0 <= m < 128'] or a mapping such as {m: 0 <= m < 128}")


def _as_padding(value: Any) -> dict[str, Expression]:
    if isinstance(value, Mapping) and all(isinstance(rank, str) for rank in value):
        return dict(value)
    raise SpecError.one("expected values for each rank, such as {P: 2}")


@attrs.define(kw_only=True, on_setattr=forget_position)
class TensorAccess(SpecNode):
    """One tensor as one Einsum reads or writes it."""

    name: str = spec_field(Text(), required=True, default="", doc="name of the tensor")
    projection: dict[str, str] = spec_field(
        Data(),
        required=True,
        factory=dict,
        converter=as_projection,
        doc="index expression of each rank: {P: p + r}; [m, k] is short for {M: m, K: k}",
    )
    output: bool = spec_field(Flag(), default=False, doc="whether the Einsum writes it")
    bits_per_value: Expression | None = spec_field(Value(), unit="bit", doc="overrides the workload's")
    persistent: Expression | None = spec_field(
        Value(), doc="whether it stays in its backing memory throughout (default: member of persistent_tensors)"
    )
    padding: dict[str, Expression] = spec_field(
        Data(),
        factory=dict,
        converter=_as_padding,
        doc="values of a rank that are read beyond its size, as padding: {P: 2}",
    )

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """Leave out what AccelForge reads and does not use either."""
        reason = "a tensor takes the bits of its values, in its backing memory too"
        return without_ignored(node, ("backing_storage_size_scale",), reason, path)


@attrs.define(kw_only=True, on_setattr=forget_position)
class Einsum(SpecNode):
    """One computation step."""

    name: str = spec_field(Text(), required=True, default="", doc="unique name")
    tensor_accesses: list[TensorAccess] = spec_field(
        Many(TensorAccess, "tensor", repeats=True), required=True, factory=list, doc="its tensors"
    )
    is_copy_operation: Expression = spec_field(Value(), default=False, doc="moves a tensor, computes nothing")
    renames: EinsumRenames = spec_field(One(EinsumRenames), factory=EinsumRenames, doc="{weight: W0, ...}")
    iteration_space_shape: dict[str, Expression] | list[str] = spec_field(
        Data(), factory=list, converter=_as_bounds, doc="bounds of rank variables: [0 <= r < 3]"
    )
    rank_sizes: dict[str, Expression] = spec_field(
        Table(), factory=dict, reader=pure_number, doc="size of each rank, beside the workload's"
    )
    n_instances: Expression = spec_field(Value(), default=1, doc="how many times the Einsum runs")

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """Expand ``"Y[m,n] = A[m,k] * B[k,n]"`` and ``{einsum: "...", ...}`` to the full form."""
        if isinstance(node, YamlScalar) and isinstance(node.value, str):
            key = _text("einsum", node)
            node = YamlMap(entries={"einsum": (key, node)}, tag=None, position=node.position)
        if not isinstance(node, YamlMap) or "einsum" not in node.entries:
            return node
        entries = dict(node.entries)
        _, formula = entries.pop("einsum")
        try:
            parsed = parse_einsum(formula.text if isinstance(formula, YamlScalar) else "")
        except SpecError as error:
            errors.add(error.problems[0].message, formula.position.with_field(path))
            parsed = ()
        if "name" not in entries:
            output = next((a.name for a in parsed if a.output), path)
            entries["name"] = (_text("name", formula), _text(output, formula))
        accesses = _merge_accesses(parsed, formula, entries.get("tensor_accesses"), errors, path)
        entries["tensor_accesses"] = (_text("tensor_accesses", formula), accesses)
        return YamlMap(entries=entries, tag=node.tag, position=node.position)

    @property
    def rank_variables(self) -> tuple[str, ...]:
        """Rank variables in order of first use. Raises SpecError for a projection that is not affine."""
        from ffcore.spec.einsum_text import parse_index

        found: dict[str, None] = {}
        for access in self.tensor_accesses:
            for index in access.projection.values():
                found.update((v, None) for v, _ in parse_index(index)[0])
        return tuple(found)


def _n_accesses(einsum: Node) -> int:
    """How many tensors an Einsum has, before it is read."""
    if isinstance(einsum, YamlMap):
        found = [einsum.get("einsum"), einsum.get("tensor_accesses")]
        return max(_n_accesses(node) if node is not None else 0 for node in found)
    return len(einsum.items) if isinstance(einsum, YamlSeq) else einsum.text.count("[")


def _text(value: str, at: Node) -> YamlScalar:
    return YamlScalar(value=value, text=value, tag=None, position=at.position)


def _merge_accesses(
    parsed: tuple[AccessText, ...],
    formula: Node,
    extra: tuple[YamlScalar, Node] | None,
    errors: ErrorCollector,
    path: str,
) -> YamlSeq:
    """Tensor accesses of the formula; ``tensor_accesses`` beside it adds fields (bits_per_value, ...) by name."""
    more = {} if extra is None else _further_fields(parsed, extra[1], errors, f"{path}.tensor_accesses")
    items: list[Node] = []
    for access in parsed:
        ranks = {r: (_text(r, formula), _text(i, formula)) for r, i in access.projection.items()}
        entries: dict[str, tuple[YamlScalar, Node]] = {
            "name": (_text("name", formula), _text(access.name, formula)),
            "projection": (
                _text("projection", formula),
                YamlMap(entries=dict(ranks), tag=None, position=formula.position),
            ),
        }
        if access.output:
            flag = YamlScalar(value=True, text="True", tag=None, position=formula.position)
            entries["output"] = (_text("output", formula), flag)
        if access.name in more:
            entries |= more[access.name].entries
        items.append(YamlMap(entries=entries, tag=None, position=formula.position))
    return YamlSeq(items=items, tag=None, position=formula.position)


def _further_fields(
    parsed: tuple[AccessText, ...], extra: Node, errors: ErrorCollector, path: str
) -> dict[str, YamlMap]:
    """What ``tensor_accesses`` says of tensors of the text, by name; what it cannot mean is noted."""
    more: dict[str, YamlMap] = {}
    if not isinstance(extra, YamlSeq):
        errors.add("expected a list of tensors such as {name: A, bits_per_value: 8}", extra.position.with_field(path))
        return more
    known = {a.name: a for a in parsed}
    for item in extra.items:
        place = item.position.with_field(path)
        name = item.get("name") if isinstance(item, YamlMap) else None
        if not isinstance(item, YamlMap) or not isinstance(name, YamlScalar):
            errors.add("an entry needs the name of a tensor of the Einsum's text, {name: A, ...}", place)
        elif name.text in more:
            errors.add(f"tensor {name.text!r} stands twice, first at {more[name.text].position}", place)
        elif name.text not in known:
            if parsed:  # else the text itself is wrong
                errors.add(f"tensor {name.text!r} is not in the Einsum's text", place, suggest(name.text, known))
        else:
            _check_agrees(known[name.text], item, errors, path)
            more[name.text] = item
    return more


def _check_agrees(access: AccessText, item: YamlMap, errors: ErrorCollector, path: str) -> None:
    """The text has said how a tensor is indexed and whether it is written; an entry may only repeat that."""
    for field, said in (("projection", dict(access.projection)), ("output", access.output)):
        node = item.get(field)
        if node is None:
            continue
        given = to_plain(node)
        try:
            agrees = (as_projection(given) if field == "projection" else given) == said
        except SpecError:
            agrees = False
        if not agrees:
            message = f"the Einsum's text says {field} {said} of tensor {access.name}, which the entry contradicts"
            errors.add(message, node.position.with_field(f"{path}.{access.name}.{field}"))


@attrs.define(kw_only=True, on_setattr=forget_position)
class Workload(SpecNode):
    """The Einsums in the order in which they run."""

    rank_sizes: dict[str, Expression] = spec_field(Table(), factory=dict, reader=pure_number, doc="size of each rank")
    iteration_space_shape: dict[str, Expression] | list[str] = spec_field(
        Data(), factory=dict, converter=_as_bounds, doc="bounds of rank variables: {m: 0 <= m < 128}"
    )
    bits_per_value: dict[str, Expression] = spec_field(
        Table(scalar_key="All"), factory=dict, unit="bit", doc="bits per value, by set of tensors"
    )
    persistent_tensors: Expression | None = spec_field(
        Value(), doc="tensors that stay in their backing memory throughout (default Nothing)"
    )
    n_instances: Expression = spec_field(Value(), default=1, doc="how many times the whole workload runs")
    einsums: list[Einsum] = spec_field(Many(Einsum, "Einsum"), factory=list, doc="in the order in which they run")
    _spec: Spec | None = attrs.field(default=None, init=False, repr=False, eq=False)  # that it belongs to

    @classmethod
    def normalise(cls, node: Node, errors: ErrorCollector, path: str) -> Node:
        """Refuse what is too long before it is read: each tensor of a text becomes a dozen objects."""
        listed = node.get("einsums") if isinstance(node, YamlMap) else None
        if isinstance(listed, YamlSeq):
            items = flatten(listed)
            place = listed.position.with_field(f"{path}.einsums")
            check_length(len(items), sum(map(_n_accesses, items)), place)
        return node

    def einsum(self, name: str) -> Einsum:
        """The Einsum of that name. Raises SpecError for a name that does not exist."""
        names = {e.name: e for e in self.einsums}
        if name not in names:
            raise SpecError.one(
                f"no Einsum {name!r}; there are {', '.join(names) or 'none'}", suggestion=suggest(name, names)
            )
        return names[name]

    def render(self) -> Rendering:
        """The workload as text, and as a picture where a renderer is installed; with its spec's variables."""
        from ffcore.render import render_workload

        return render_workload(self if self._spec is None else self._spec)

    def _repr_svg_(self) -> str | None:
        return self.render()._repr_svg_()

    def _repr_html_(self) -> str | None:
        return self.render()._repr_html_()

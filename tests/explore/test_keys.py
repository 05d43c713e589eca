"""What makes Einsums equal, and names cache entries, looks at every field of every class of the problem."""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from typing import Any

import attrs
import pytest

from ffcore.explore.reuse.content import einsum_content
from ffcore.explore.reuse.equal import signature
from ffcore.explore.reuse.keys import key_of
from ffcore.spec import Spec, problem
from ffcore.spec.problem import NAMES, EinsumProblem, Named
from ffcore.templates import HolderChoice, einsum_choices
from tests.explore.test_equal_einsums import UNUSUAL
from tests.laws import Odd

CLASSES = [c for c in vars(problem).values() if isinstance(c, type) and attrs.has(c)]
ELSEWHERE = {"Problem", "MapperOptions"}  # not of one Einsum: the whole job
# What paths hold is in the choices; that tensors may be called otherwise is shown in test_equal_einsums.py.
NOT_LOOKED_AT = {("EinsumProblem", "paths"), ("Tensor", "name")}


def some_einsum() -> tuple[EinsumProblem, tuple[HolderChoice, ...]]:
    """An Einsum with a value of every class, no field of it empty."""
    shape = "tile_shape: [{expression: All.rank_variables, operator: '<=', value: 4}]"
    text = UNUSUAL.replace("may_keep: All,", f"may_keep: All, {shape},")
    text = text.replace("    size: 256", "    size: 256\n    leak_power: 1\n    bits_per_value: {input: 4}")
    matmul = "{einsum: 'C[m, n] = A[m, k] * A[M: n, K: k] * B[k, n]', renames: {input: A, weight: B, output: C}}"
    workload = f"workload: {{rank_sizes: {{M: 4, K: 2, N: 4}}, bits_per_value: {{All: 8}}, einsums: [{matmul}]}}"
    (einsum,) = Spec.from_string(text + workload).problem().einsums
    einsum = attrs.evolve(einsum, shared=frozenset("A"), intermediates=frozenset("A"))
    return einsum, tuple(einsum_choices(einsum))


def other(value: Any, path: str) -> Any:
    """A value of the same kind that is not equal."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return 2 * value + 1 if value < 1e300 else 7.0
    if isinstance(value, enum.Enum):
        return next(v for v in type(value) if v is not value)
    if isinstance(value, str):
        return value + "x"
    if isinstance(value, frozenset):
        return value - {min(value)} if value else frozenset({"A", "m"})
    if isinstance(value, Mapping):
        return {k: other(v, path) for k, v in value.items()} if value else {"A": 3.0}
    if isinstance(value, tuple):
        return value[::-1] if value != value[::-1] else value[:-1] if value else (frozenset({"A"}),)
    if value is None:
        return Odd(1) if path.endswith("law") else ((frozenset({"A"}),),)
    return None


def values_in(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Every value of an attrs class inside of ``value``, with where it is."""
    if attrs.has(type(value)):
        yield path, value
        for field in attrs.fields(type(value)):
            yield from values_in(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, tuple):
        for i, item in enumerate(value):
            yield from values_in(item, f"{path}.{i}")


def replaced(value: Any, old: Any, new: Any) -> Any:
    """``value`` with ``new`` where ``old`` (the very object) is."""
    if value is old:
        return new
    if isinstance(value, tuple):
        return tuple(replaced(item, old, new) for item in value)
    if attrs.has(type(value)):
        changed = {f.name: replaced(getattr(value, f.name), old, new) for f in attrs.fields(type(value)) if f.init}
        if all(changed[name] is getattr(value, name) for name in changed):
            return value
        return attrs.evolve(value, **changed)
    return value


def changes() -> Iterator[tuple[str, str, EinsumProblem, tuple[HolderChoice, ...]]]:
    """(class, field, Einsum, choices) with one field of one value changed."""
    einsum, choices = some_einsum()
    seen: set[tuple[str, str]] = set()
    for path, value in [
        *values_in(einsum, "einsum"),
        *(pair for c in choices for pair in values_in(c.components, "c")),
    ]:
        for field in attrs.fields(type(value)):
            at = type(value).__name__, field.name
            if at in seen or at in NOT_LOOKED_AT:
                continue
            seen.add(at)
            new = attrs.evolve(value, **{field.name: other(getattr(value, field.name), f"{path}.{field.name}")})
            own = tuple(attrs.evolve(c, components=replaced(c.components, value, new)) for c in choices)
            yield *at, replaced(einsum, value, new), own


CHANGES = {(cls, field): (einsum, choices) for cls, field, einsum, choices in changes()}


def test_every_field_of_every_class_is_tried() -> None:
    named = {(c.__name__, f.name) for c in CLASSES if c.__name__ not in ELSEWHERE for f in attrs.fields(c)}
    abstract = {(name, field) for name, field in named if name == "Bound"}  # LoopBound and TileShape are
    assert named - abstract - NOT_LOOKED_AT - CHANGES.keys() == set()


@pytest.mark.parametrize(("cls", "field"), CHANGES)
def test_the_key_changes_with_the_field(cls: str, field: str) -> None:
    einsum, choices = some_einsum()
    own, own_choices = CHANGES[cls, field]
    options = problem.MapperOptions()
    label = attrs.fields_dict(getattr(problem, cls))[field].metadata.get(NAMES) is Named.LABEL
    same = signature(einsum, choices, {}) == signature(own, own_choices, {})
    # Numbers that components get say which are equal within one problem; the content names them.
    same &= einsum_content(einsum, choices, options) == einsum_content(own, own_choices, options)
    assert same == label


def test_what_no_key_can_be_made_of_is_an_error() -> None:
    with pytest.raises(TypeError, match="a key cannot be made of object"):
        key_of(problem.Leak("M", object(), ()), None)  # type: ignore[arg-type]

"""From operands with labelled axes to the accesses of an Einsum.

An operator says what each axis of each operand is indexed by: one or more *labels* (outermost first), or a window over
several (``2*p + r``). Where an operand is a view whose axes are made of digits, labels are split until the digits of
all operands agree; where they cannot agree, the caller has to copy the operand named by `NotAffine`.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import attrs

from ffcore_onnx_import.einsums import Access, AffineIndex, Variable
from ffcore_onnx_import.views import Atom, View, shared_digits


@attrs.frozen(eq=False)
class Label:
    """An index of the operator: the role of its rank variable, of the rank that it makes, and its bound."""

    role: str
    rank: str
    size: int


@attrs.frozen
class Window:
    """An axis indexed by a sum: of labels times whole numbers."""

    terms: tuple[tuple[Label, int], ...]


Labels = tuple[Label, ...]


@attrs.frozen
class Operand:
    """A value that the operator reads, with what indexes each of its axes."""

    view: View
    axes: tuple[Labels | Window, ...]


class NotAffine(Exception):
    """The axes of an operand cannot be indexed so; ``operand`` is its number."""

    def __init__(self, operand: int) -> None:
        super().__init__(operand)
        self.operand = operand


def plain(view: View, labels: Iterable[Label]) -> Operand:
    """An operand each of whose axes has one label."""
    return Operand(view, tuple((label,) for label in labels))


Digits = dict[Label, list[Variable]]


def digits_of(operands: Sequence[Operand], output: Sequence[Labels]) -> Digits:
    """The rank variables that each label stands for, outermost first. Raises NotAffine."""
    lists: dict[Label, list[list[int]]] = {}
    for labels in output:
        for label in labels:
            lists.setdefault(label, [])
    for number, operand in enumerate(operands):
        for atoms, spec in zip(operand.view.axes, operand.axes, strict=True):
            if isinstance(spec, Window):
                if len(atoms) > 1:
                    raise NotAffine(number)
                for label, _ in spec.terms:
                    lists.setdefault(label, []).append([label.size])
            else:
                for label, wanted in _split(atoms, spec, number).items():
                    lists.setdefault(label, []).append(wanted)
    result: Digits = {}
    taken: set[str] = set()
    for label, sizes_lists in lists.items():
        sizes = shared_digits([*sizes_lists, [label.size]])
        windowed = any(isinstance(a, Window) and label in dict(a.terms) for o in operands for a in o.axes)
        if sizes is None or (windowed and len(sizes) > 1):
            raise NotAffine(_broken(operands, label))
        result[label] = _variables(label, sizes, taken)
    return result


def _split(atoms: Sequence[Atom], labels: Labels, number: int) -> dict[Label, list[int]]:
    """The digits of each label that the atoms of an axis ask for."""
    if not atoms:
        return {label: [] for label in labels}  # broadcast
    marks = shared_digits([[a.size for a in atoms], [label.size for label in labels]])
    if marks is None:
        raise NotAffine(number)
    result: dict[Label, list[int]] = {}
    for label in labels:
        result[label], reached = [], 1
        while reached < label.size:
            reached *= marks[0]
            result[label].append(marks.pop(0))
    return result


def _broken(operands: Sequence[Operand], label: Label) -> int:
    """The first operand that splits ``label`` (some operand does, else its digits would agree)."""
    for number, operand in enumerate(operands):
        for atoms, labels in zip(operand.view.axes, operand.axes, strict=True):
            if not isinstance(labels, Window) and label in labels and len(atoms) > 1:
                return number
    raise AssertionError(label)


def _variables(label: Label, sizes: Sequence[int], taken: set[str]) -> list[Variable]:
    role = label.role
    while role in taken:
        role += "x"
    taken.add(role)
    if len(sizes) <= 1:
        return [Variable(role, size) for size in sizes]
    ends = "oi" if len(sizes) == 2 else "abcdefghijklmnopqrstuvwxyz"
    return [Variable(role + end, size) for end, size in zip(ends, sizes, strict=False)]


def access_of(operand: Operand, digits: Digits) -> Access:
    """How an Einsum with these rank variables reads the operand."""
    by: dict[Atom, AffineIndex] = {}
    for atoms, labels in zip(operand.view.axes, operand.axes, strict=True):
        if isinstance(labels, Window):
            terms = [(v, c) for label, c in labels.terms for v in digits[label]]
            by.update((atom, AffineIndex(tuple(terms))) for atom in atoms)
            continue
        left = [v for label in labels for v in digits[label]]
        for atom in atoms:
            taken = [left.pop(0)]
            while math.prod(v.size for v in taken) < atom.size:
                taken.append(left.pop(0))
            by[atom] = mixed(taken)
    view = operand.view
    return Access(view.tensor, tuple(_index(rank.terms, rank.constant, by) for rank in view.ranks))


def _index(terms: Sequence[tuple[Atom, int]], constant: int, by: dict[Atom, AffineIndex]) -> AffineIndex:
    found: dict[Variable, int] = {}
    for atom, coefficient in terms:
        for variable, weight in by[atom].terms:
            found[variable] = found.get(variable, 0) + coefficient * weight
    return AffineIndex(tuple(found.items()), constant)


def mixed(variables: Sequence[Variable]) -> AffineIndex:
    """The index whose digits these variables are: ``64*h + e``."""
    terms: list[tuple[Variable, int]] = []
    weight = 1
    for variable in reversed(variables):
        terms.append((variable, weight))
        weight *= variable.size
    return AffineIndex(tuple(reversed(terms)))


UNIT = Variable("u", 1)
"""The rank variable of a tensor with a single value."""


def output_access(tensor: str, output: Sequence[Labels], digits: Digits) -> Access:
    """How the Einsum writes its output: a rank for each axis longer than 1."""
    index = [mixed([v for label in labels for v in digits[label]]) for labels in output if _size(labels) > 1]
    return Access(tensor, tuple(index) or (AffineIndex(((UNIT, 1),)),))


def _size(labels: Labels) -> int:
    return math.prod(label.size for label in labels)

"""Values as views of tensors: which element of a stored tensor an element of a value is.

Reshape, Transpose, Slice, Expand and their like move nothing: they say how the axes of a value index the tensor
underneath. An axis is a list of *atoms* (digits of its index, outermost first), and each rank of the tensor is indexed
by a sum of atoms. Splitting 768 channels into 12 heads of 64 makes the rank's index ``64*h + e``.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import attrs

from ffcore_onnx_import.graph import Shape


@attrs.frozen(eq=False)
class Atom:
    """One digit of an index: 0 to ``size`` - 1. Two atoms are the same only if they are one object."""

    size: int


Axis = tuple[Atom, ...]


@attrs.frozen
class Index:
    """The index of one rank: the sum of atoms times their coefficients, plus a constant."""

    terms: tuple[tuple[Atom, int], ...]
    constant: int = 0

    def replaced(self, by: Mapping[Atom, Index]) -> Index:
        """The same with some atoms written as sums of others."""
        terms: dict[Atom, int] = {}
        constant = self.constant
        for atom, coefficient in self.terms:
            inner = by.get(atom)
            for part, weight in inner.terms if inner is not None else ((atom, 1),):
                terms[part] = terms.get(part, 0) + coefficient * weight
            constant += coefficient * (inner.constant if inner is not None else 0)
        return Index(tuple(terms.items()), constant)


@attrs.frozen
class View:
    """A value: ``tensor`` is what is stored, ``ranks`` the index of each of its ranks, ``axes`` those of the value.

    An axis of size 1 has no atoms. An atom of an axis that no rank uses is a broadcast. ``roles`` names the axes.
    """

    tensor: str
    ranks: tuple[Index, ...]
    axes: tuple[Axis, ...]
    roles: tuple[str, ...]

    @property
    def shape(self) -> Shape:
        """Sizes of the axes."""
        return tuple(math.prod(a.size for a in axis) for axis in self.axes)

    def replaced(self, by: Mapping[Atom, Index], axes: Sequence[Axis], roles: Sequence[str]) -> View:
        """Other axes, with the tensor's indices rewritten."""
        ranks = tuple(r.replaced(by) for r in self.ranks)
        return View(self.tensor, ranks, tuple(axes), tuple(roles))


def whole(tensor: str, shape: Shape, roles: Sequence[str]) -> View:
    """A value that is a whole tensor, whose ranks are the axes longer than 1 (one rank of size 1 if none is)."""
    axes = tuple((Atom(size),) if size > 1 else () for size in shape)
    ranks = tuple(Index(((axis[0], 1),)) for axis in axes if axis)
    return View(tensor, ranks or (Index(()),), axes, tuple(roles))


def transposed(view: View, order: Sequence[int]) -> View:
    """The axes in another order."""
    return attrs.evolve(view, axes=tuple(view.axes[i] for i in order), roles=tuple(view.roles[i] for i in order))


def reshaped(view: View, shape: Shape, roles: Sequence[str]) -> View | None:
    """The same elements in another shape; None where the new axes are no sums of digits of the old ones."""
    atoms = [atom for axis in view.axes for atom in axis]
    by: dict[Atom, Index] = {}
    axes: list[Axis] = []
    for size in reversed(shape):
        axis: list[Atom] = []
        while size > 1:
            if not atoms:
                return None
            atom = atoms.pop()
            if size % atom.size == 0:
                axis.append(atom)
                size //= atom.size
            elif atom.size % size == 0:
                outer, inner = Atom(atom.size // size), Atom(size)
                by[atom] = Index(((outer, size), (inner, 1)))
                atoms.append(outer)
                axis.append(inner)
                size = 1
            else:
                return None
        axes.append(tuple(reversed(axis)))
    if atoms:
        return None
    axes.reverse()
    return view.replaced(_flat(by), axes, _kept_roles(view, axes, roles))


def _flat(by: Mapping[Atom, Index]) -> dict[Atom, Index]:
    """Replacements of replacements (an atom split more than once), written out."""
    result: dict[Atom, Index] = {}
    for atom, index in reversed(list(by.items())):
        result[atom] = index.replaced(result)
    return result


def _kept_roles(view: View, axes: Sequence[Axis], roles: Sequence[str]) -> list[str]:
    """An axis that is one of the old ones keeps its role, if no other axis has it."""
    old = {axis: role for axis, role in zip(view.axes, view.roles, strict=True) if axis}
    kept = [old.get(axis) for axis in axes]
    used = {role for role in kept if role}
    free = [r for r in (*roles, *"GHIJKLMNOPQRSTUVWXYZ") if r not in used]
    result: list[str] = []
    for role, default in zip(kept, roles, strict=True):
        if role is None:
            role = default if default in free else free[0]
            free.remove(role)
        result.append(role)
    return result


def expanded(view: View, shape: Shape, roles: Sequence[str]) -> View:
    """Broadcast to ``shape``: axes of size 1 become longer, new ones stand in front."""
    missing = len(shape) - len(view.axes)
    axes = [*([()] * missing), *view.axes]
    longer = [axis if axis or size == 1 else (Atom(size),) for axis, size in zip(axes, shape, strict=True)]
    return attrs.evolve(view, axes=tuple(longer), roles=(*roles[:missing], *view.roles))


def sliced(view: View, axis: int, start: int, count: int, step: int) -> View | None:
    """Every ``step``-th of ``count`` elements of an axis; None where that is no affine index."""
    atoms = view.axes[axis]
    if count == math.prod(a.size for a in atoms) and step == 1:
        return view
    found = (_digits_at(atoms, start), ()) if count == 1 else _one_digit(atoms, start, count, step)
    if found is None:
        return None
    replaced, kept = found
    return view.replaced(replaced, [*view.axes[:axis], kept, *view.axes[axis + 1 :]], view.roles)


def _digits_at(atoms: Axis, position: int) -> dict[Atom, Index]:
    """Each digit of one position."""
    result: dict[Atom, Index] = {}
    for atom in reversed(atoms):
        position, digit = divmod(position, atom.size)
        result[atom] = Index((), digit)
    return result


def _one_digit(atoms: Axis, start: int, count: int, step: int) -> tuple[dict[Atom, Index], Axis] | None:
    """A slice that runs within one digit: the outermost, in whole steps of what lies inside of it."""
    if not atoms or step < 1:
        return None
    outer, inner = atoms[0], atoms[1:]
    below = math.prod(a.size for a in inner)
    if below > 1 and (step != 1 or start % below or count % below):
        return None
    if count == below:
        return {outer: Index((), start // below)}, inner
    new = Atom(count // below)
    return {outer: Index(((new, step),), start // below)}, (new, *inner)


def shared_digits(lists: Sequence[Sequence[int]]) -> list[int] | None:
    """The coarsest digits (outermost first) of which each list's digits are products; None if there are none.

    >>> shared_digits([[12, 64], [768]])
    [12, 64]
    >>> shared_digits([[6, 4], [8, 3]]) is None
    True
    """
    marks = {1}
    for sizes in lists:
        reached = 1
        for size in reversed(sizes):
            reached *= size
            marks.add(reached)
    ordered = sorted(marks)
    digits = []
    for low, high in itertools.pairwise(ordered):
        if high % low:
            return None
        digits.append(high // low)
    return digits[::-1]

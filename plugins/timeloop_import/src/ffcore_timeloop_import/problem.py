"""Timeloop's problem: dimensions, data spaces with projections, sizes and coefficients of an instance."""

from __future__ import annotations

from typing import Any

import attrs

from ffcore.plugin import SpecError
from ffcore_timeloop_import.source import count, mapping, sequence

_TAKEN = {"Inputs": "Input", "Outputs": "Output"}
_SETS = frozenset(["All", "Tensors", "Nothing", "Intermediates", "Shared", "Persistent", "Above", "Other"])
"""What native expressions call sets of tensors."""


def tensor_name(space: str) -> str:
    """The native name of a data space: not one that expressions have for sets of tensors.

    >>> tensor_name("Inputs"), tensor_name("Weights")
    ('Input', 'Weights')
    """
    return _TAKEN.get(space, f"{space}_" if space in _SETS else space)


@attrs.frozen
class DataSpace:
    """One tensor: for each of its ranks the terms (dimension, coefficient) that index it."""

    name: str
    ranks: tuple[tuple[tuple[str, int], ...], ...]
    output: bool

    @property
    def variables(self) -> frozenset[str]:
        """Dimensions that it is indexed by."""
        return frozenset(d for rank in self.ranks for d, _ in rank)

    @property
    def windows(self) -> frozenset[str]:
        """Dimensions that share a rank with another one."""
        return frozenset(d for rank in self.ranks if len(rank) > 1 for d, _ in rank)


@attrs.frozen
class Problem:
    """One layer."""

    name: str
    sizes: dict[str, int]
    spaces: tuple[DataSpace, ...]

    def variable(self, dimension: str) -> str:
        """The rank variable of a dimension."""
        return dimension.lower()

    def workload(self) -> dict[str, Any]:
        """The native workload, without bits per value, which the architecture's words give."""
        accesses = []
        for space in self.spaces:
            projection: dict[str, str] = {}
            for rank in space.ranks:
                name = "".join(d.upper() for d, _ in rank) or "ONE"
                while name in projection:
                    name += "_"
                terms = [d.lower() if c == 1 else f"{c}*{d.lower()}" for d, c in rank]
                projection[name] = " + ".join(terms) or "0"
            access: dict[str, Any] = {"name": space.name, "projection": projection}
            accesses.append({**access, "output": True} if space.output else access)
        bounds = {self.variable(d): f"0 <= {self.variable(d)} < {n}" for d, n in self.sizes.items()}
        return {"iteration_space_shape": bounds, "einsums": [{"name": self.name, "tensor_accesses": accesses}]}


def read_problem(section: Any, notes: list[str]) -> Problem:
    """The problem. Raises SpecError for what cannot be one."""
    top = mapping(section, "problem")
    shape = mapping(top.get("shape", top), "problem.shape")
    instance = {**top, **mapping(top.get("instance"), "problem.instance")}
    dimensions = [str(d) for d in sequence(shape.get("dimensions"), "problem.shape.dimensions")]
    if not dimensions:
        raise SpecError.one("problem.shape has no dimensions")
    if len({d.lower() for d in dimensions}) < len(dimensions):
        raise SpecError.one("two dimensions of the problem differ in upper and lower case only: rename one")
    lacking = [d for d in dimensions if d not in instance]
    if lacking:
        raise SpecError.one(f"the problem's instance gives no size of {', '.join(lacking)}")
    sizes = {d: count(instance[d], f"the size of {d}") for d in dimensions}
    coefficients: dict[str, int] = {}
    for entry in sequence(shape.get("coefficients"), "coefficients"):
        coefficient = mapping(entry, "a coefficient")
        name = str(coefficient.get("name", ""))
        coefficients[name] = count(instance.get(name, coefficient.get("default", 1)), f"the coefficient {name}")
    if instance.get("densities"):
        notes.append("densities of the problem: every value is stored, moved and computed with")
    spaces = shape.get("data_spaces", shape.get("data-spaces", shape.get("dataSpaces")))
    read = tuple(_space(mapping(s, "a data space"), coefficients, sizes) for s in sequence(spaces, "data_spaces"))
    if sum(s.output for s in read) != 1:
        raise SpecError.one("the problem needs exactly one data space with read_write: true")
    return Problem(str(shape.get("name", "Layer")).replace("-", "_"), sizes, read)


def _space(space: Any, coefficients: dict[str, int], sizes: dict[str, int]) -> DataSpace:
    name = str(space.get("name", ""))
    projection = space.get("projection")
    ranks = list(projection.values()) if isinstance(projection, dict) else sequence(projection, f"projection of {name}")
    read = []
    for rank in ranks:
        terms: dict[str, int] = {}
        for term in sequence(rank, f"a rank of {name}"):
            dimension, *factors = [str(part) for part in (term if isinstance(term, list) else [term])] or [""]
            if dimension not in sizes:
                raise SpecError.one(f"{name} is indexed by {dimension}, which is no dimension of the problem")
            coefficient = 1
            for factor in factors:
                if factor not in coefficients and not factor.isdecimal():
                    raise SpecError.one(f"{name}: the problem has no coefficient {factor!r}")
                coefficient *= coefficients[factor] if factor in coefficients else int(factor)
            terms[dimension] = terms.get(dimension, 0) + coefficient
        read.append(tuple(terms.items()))
    output = bool(space.get("read_write", space.get("read-write", space.get("readWrite", False))))
    return DataSpace(tensor_name(name), tuple(read), output)

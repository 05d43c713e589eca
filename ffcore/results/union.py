"""Putting runs together: pmappings of other Einsums, or of the same ones under other constraints."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
import numpy as np

from ffcore.errors import FFError
from ffcore.pmappings.rows import Rows, RowShape, places, prune, reshaped
from ffcore.pmappings.set import EinsumPmappings, PmappingSet, PmappingStats
from ffcore.spec.problem import Component, EinsumProblem, PathProblem, Problem


def union(a: PmappingSet, b: PmappingSet, combinable: bool) -> PmappingSet:
    """All pmappings of both runs; of equal compatibility, those that are Pareto-optimal among all.

    ``combinable``: both runs kept the usage of every limited memory, so that they may differ in constraints and may
    overlap. A memory that one of them does not list is then one that it never used. Raises FFError where the
    runs do not belong together, or are not whole.
    """
    a.check_whole()
    b.check_whole()
    names_a, names_b = ({e.einsum.name for e in s.einsums} for s in (a, b))
    if not combinable:
        common = [e.einsum.name for e in a.einsums if e.einsum.name in names_b]
        if common:
            what = f"both runs explored Einsum {', '.join(common)}"
        elif a.problem.spec_hash != b.problem.spec_hash or a.problem.options != b.problem.options:
            what = "the runs were made from different specs"
        else:
            what = ""
        if what:
            raise FFError(f"{what}: to combine them, make both with can_combine_multiple_runs=True")
    _check_same_workload(a.problem, b.problem)
    shape = _common_shape(a, b)
    parts_a, parts_b = ({e.einsum.name: _reshaped(e, shape) for e in s.einsums} for s in (a, b))
    einsums = []
    for einsum in a.problem.einsums:
        found = [parts[einsum.name] for parts in (parts_a, parts_b) if einsum.name in parts]
        if found:
            einsums.append(found[0] if len(found) == 1 else _merged(*found))
    return PmappingSet(_problem(a, b, names_a, names_b), tuple(einsums), a.filtered or b.filtered)


def difference(a: EinsumProblem, b: EinsumProblem) -> str:
    """What of an Einsum two specs see differently, beyond constraints; empty if nothing."""
    if attrs.evolve(a, paths=()) != attrs.evolve(b, paths=()):
        return f"Einsum {a.name}"
    if [p.names for p in a.paths] != [p.names for p in b.paths]:
        return f"the components that Einsum {a.name} can run on"
    for mine, theirs in zip(a.paths, b.paths, strict=True):
        for x, y in zip(_components(mine), _components(theirs), strict=True):
            if _unconstrained(x) != _unconstrained(y):
                return f"{x.name} (for Einsum {a.name})"
    return ""


def _components(path: PathProblem) -> Iterator[Component]:
    """The path's components where each memory keeps what it must."""
    held: dict[str, frozenset[str]] = {}
    for index, name in enumerate(path.names):
        component = path.component(index, held)
        if component.holding is not None:
            held[name] = component.holding.must
        yield component


def _unconstrained(component: Component) -> object:
    """All of a component but its constraints."""
    dimensions = [(d.name, d.fanout, d.usage_scale, d.power_gateable) for d in component.spatial]
    return attrs.evolve(component, holding=None, spatial=()), dimensions


def _check_same_workload(a: Problem, b: Problem) -> None:
    if [e.name for e in a.einsums] != [e.name for e in b.einsums]:
        raise FFError("the runs are of different workloads, which cannot be combined")
    if a.options.metrics != b.options.metrics:
        raise FFError("the runs were made for different metrics, which cannot be combined")


def _problem(a: PmappingSet, b: PmappingSet, names_a: set[str], names_b: set[str]) -> Problem:
    """The problem that the union belongs to: each Einsum as the run saw it that explored it."""
    same = a.problem.spec_hash == b.problem.spec_hash
    einsums = tuple(
        mine if mine.name in names_a or mine.name not in names_b else theirs
        for mine, theirs in zip(a.problem.einsums, b.problem.einsums, strict=True)
    )
    spec_hash = a.problem.spec_hash if same else f"{a.problem.spec_hash}|{b.problem.spec_hash}"
    return attrs.evolve(a.problem, einsums=einsums, spec_hash=spec_hash)


def _common_shape(a: PmappingSet, b: PmappingSet) -> RowShape:
    """Memories of both, and room for the deepest nest of either; ``shared`` is each Einsum's own."""
    shapes = [e.shape for e in (*a.einsums, *b.einsums)]
    memories = tuple(dict.fromkeys(m for s in shapes for m in s.memories))
    return RowShape((), memories, max(s.depth for s in shapes), max(s.cuts for s in shapes))


def _reshaped(pmappings: EinsumPmappings, common: RowShape) -> EinsumPmappings:
    """The same rows in columns for more memories, deeper nests and more cuts."""
    old, rows = pmappings.shape, pmappings.rows
    new = attrs.evolve(common, shared=old.shared)
    if new == old:
        return pmappings
    return attrs.evolve(pmappings, shape=new, rows=reshaped(rows, old, new))


def _merged(a: EinsumPmappings, b: EinsumPmappings) -> EinsumPmappings:
    """Two runs of one Einsum as one."""
    differs = difference(a.einsum, b.einsum)
    if differs:
        raise FFError(f"the runs differ in more than constraints, so that they cannot be combined: {differs}")
    number = {c.name: i for i, c in enumerate(places(a.templates + b.templates))}
    memory = np.array([number[c.name] for c in b.places], np.int64)[b.rows.memory]
    shifted = attrs.evolve(b.rows, job=b.rows.job + len(a.jobs), memory=memory)
    rows, offsets = prune(Rows.concatenate([a.rows, shifted]))
    both = a.stats, b.stats
    stats = PmappingStats(*(sum(getattr(s, f.name) for s in both) for f in attrs.fields(PmappingStats)))
    templates, jobs = a.templates + b.templates, (*a.jobs, *b.jobs)
    return attrs.evolve(a, templates=templates, jobs=jobs, rows=rows, offsets=offsets, stats=stats)

"""From a spec to the Problem that the mapper works on."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from typing import TYPE_CHECKING, Any

import attrs

from ffcore.errors import ErrorCollector, SpecError, SpecWarning
from ffcore.spec import problem
from ffcore.spec.architecture import ArchNode, Container, walk
from ffcore.spec.expressions import evaluate, total_budget
from ffcore.spec.mapper import FFM
from ffcore.spec.problem import Component, ComponentKind, EinsumProblem, Held, MapperOptions, Problem
from ffcore.spec.resolve.accesses import Accesses, of_accesses, of_tensors
from ffcore.spec.resolve.costs import CostBook, warn_of_uncounted
from ffcore.spec.resolve.einsums import ResolvedWorkload, resolve_workload, table_place, variable_scope
from ffcore.spec.resolve.imperfect import AUTO, IMPERFECT, asked_for, automatic
from ffcore.spec.resolve.layout import ArchLayout
from ffcore.spec.resolve.magnitude import too_large
from ffcore.spec.resolve.nodes import Fields
from ffcore.spec.resolve.path import EinsumArch
from ffcore.spec.resolve.scope import Scope, Trace
from ffcore.spec.resolve.tree import Place, check_tree, paths
from ffcore.spec.resolve.values import as_bool, as_number, at_least_zero, positive
from ffcore.spec.workload import Einsum

if TYPE_CHECKING:
    from ffcore.spec.resolve.costs import CostHook
    from ffcore.spec.spec import Spec

MAX_CHOICES = 5000
"""Choices of holders tried when looking for one that holds a tensor somewhere."""

MAX_COMPONENTS = 15_000
"""Components of all paths, times Einsums: each component is evaluated for each Einsum, in about a millisecond."""


class Resolution:
    """A spec, evaluated on demand; survives pickling by being evaluated again."""

    def __init__(self, spec: Spec, book: CostBook, model: CostHook | None) -> None:
        self.spec = spec
        self.book = book
        self._model = model
        self._workload: ResolvedWorkload | None = None
        self._arches: dict[str, EinsumArch] = {}

    def __getstate__(self) -> dict[str, Any]:
        # Scopes hold closures; the cost model's answers are all in the book.
        return {"spec": self.spec, "book": self.book, "_model": None, "_workload": None, "_arches": {}}

    def evaluate(self, errors: ErrorCollector) -> ResolvedWorkload:
        """Variables, renames and workload."""
        trace = Trace()
        variables = variable_scope(self.spec.variables, trace, table_place(self.spec, "variables"))
        for name in self.spec.variables:
            with errors.catch():
                variables[name]
        self._workload = resolve_workload(self.spec, variables, trace, errors)
        layout = ArchLayout.of(self.spec.arch)
        self._arches = {
            e.name: EinsumArch(self.spec, layout, e, self.book, self._model) for e in self._workload.einsums
        }
        return self._workload

    def arch(self, einsum: str) -> EinsumArch:
        """The architecture as one Einsum sees it."""
        if self._workload is None:
            errors = ErrorCollector()
            self.evaluate(errors)
            errors.raise_if_any()
        return self._arches[einsum]


class ArchPath:
    """One root-to-compute path of the architecture, seen by one Einsum: a ``PathProblem``."""

    def __init__(self, resolution: Resolution, einsum: str, names: tuple[str, ...], accesses: Accesses) -> None:
        self._resolution = resolution
        self._einsum = einsum
        self._names = names
        self._accesses = accesses
        self._depends: dict[int, tuple[str, ...]] = {}
        self._cache: dict[tuple[int, tuple[frozenset[str], ...]], problem.Component] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """Enabled components from the root to the compute (which is last)."""
        return self._names

    def component(self, index: int, held: Held) -> problem.Component:
        """Evaluate a component, given what every memory above it keeps; memoised by what it depends on."""
        depends = self._depends.get(index)
        if depends is None:
            depends = self._depends[index] = self._dependence(index)
        held = of_tensors(held, self._accesses)
        key = (index, tuple(held.get(name, frozenset()) for name in depends))
        found = self._cache.get(key)
        if found is None:
            arch = self._resolution.arch(self._einsum)
            above = {name: held[name] for name in self._names[:index] if name in held}
            found = of_accesses(arch.component(arch.places[self._names[index]], above), self._accesses)
            self._cache[key] = found
        return found

    def kind(self, name: str) -> ComponentKind:
        """What a component of the path is."""
        return self._resolution.arch(self._einsum).component_kind(name)

    def _dependence(self, index: int) -> tuple[str, ...]:
        """Components above that the fields of this one mention."""
        arch = self._resolution.arch(self._einsum)
        name, above = self._names[index], self._names[:index]
        mentioned = arch.layout.mentioned[name]
        whole = "Above" in mentioned or arch.component_kind(name) is ComponentKind.TOLL
        return above if whole else tuple(n for n in above if n in mentioned)

    def __repr__(self) -> str:
        return f"ArchPath({self._einsum}: {' > '.join(self._names)})"


@total_budget()
def build_problem(spec: Spec, cost_model: CostHook | None, *, allow_hopeless: bool = False) -> Problem:
    """Resolve ``spec``. Raises one SpecError that lists everything that is wrong.

    ``allow_hopeless``: that nothing can run an Einsum, or hold one of its tensors, is for a diagnosis to explain.
    """
    errors = ErrorCollector()
    resolution = Resolution(spec, CostBook(), cost_model)
    check_tree(spec.arch, errors)
    options = mapper_options(spec, errors)
    workload = resolution.evaluate(errors)
    errors.raise_if_any()  # what follows would only repeat it
    _check_size(spec, len(workload.einsums))
    hopeless = ErrorCollector()
    einsums = [_einsum_problem(resolution, workload, i, errors, hopeless) for i in range(len(workload.einsums))]
    if not allow_hopeless:
        for found in hopeless.problems:
            errors.add(found.message, found.position, found.suggestion)
    mapped = tuple(e for e in einsums if e is not None)
    imperfect = _imperfect(spec, [v for e in mapped for v in e.bounds], errors)
    errors.raise_if_any()
    _warn_of_ignored(spec)
    warn_of_uncounted(walk(spec.arch.nodes))
    if AUTO in imperfect.values():
        chosen = options.force_memory_hierarchy_order and (automatic(mapped) or False)
        imperfect = {name: chosen if asked == AUTO else asked for name, asked in imperfect.items()}
    options = attrs.evolve(options, **imperfect)
    return Problem(mapped, options, spec.hash(resolution.book.content()))


def _check_size(spec: Spec, n_einsums: int) -> None:
    """Refuse what would take minutes and gigabytes to evaluate."""
    components = sum(len(path) for path in paths(spec.arch))
    if components * n_einsums > MAX_COMPONENTS:
        raise SpecError.one(
            f"{n_einsums:,} Einsums times {components:,} components (on all paths to a Compute) are more than the "
            f"{MAX_COMPONENTS:,} that one spec may have: map parts of the workload on their own",
            spec.workload.position_of("einsums"),
        )


def _imperfect(spec: Spec, variables: Sequence[str], errors: ErrorCollector) -> dict[str, Any]:
    """What is asked for of imperfect factors, by option."""
    scope = Scope({}, variable_scope(spec.variables, trace := Trace(), table_place(spec, "variables")))
    fields = Fields(spec.mapper.ffm, scope, trace, "mapper.ffm")
    found: dict[str, Any] = {}
    for name in IMPERFECT:
        with errors.catch():
            found[name] = asked_for(fields, name, variables)
    return found


IGNORED = {
    "model.metrics": "every metric is reported, whatever it says",
    "mapper.ffm.info_metrics": "every metric is reported, whatever it says",
    "mapper.ffm.tiling_coarseness": "every tile size is explored, whatever it says",
    "mapper.ffm.prioritize_reuse_of_unfused_tensors": "every order of loops is explored, whatever it says",
    "mapper.ffm.time_limit_per_pmapping_template": "mapper.ffm.time_limit bounds the whole search",
}
"""Fields that are read for files of other tools, and what is done instead."""


def _warn_of_ignored(spec: Spec) -> None:
    """One warning for each field that is set and has no effect."""
    for path, reason in IGNORED.items():
        owner: Any = spec
        *parents, name = path.split(".")
        for parent in parents:
            owner = getattr(owner, parent)
        if getattr(owner, name) != attrs.fields_dict(type(owner))[name].default:
            place = owner.position_of(name)
            warnings.warn(SpecWarning(f"{f'{place}: ' if place else ''}{path} has no effect: {reason}"), stacklevel=2)


def _einsum_problem(
    resolution: Resolution, workload: ResolvedWorkload, index: int, errors: ErrorCollector, hopeless: ErrorCollector
) -> EinsumProblem | None:
    """One Einsum; that it can have no mapping at all is noted in ``hopeless``."""
    einsum = workload.einsums[index]
    arch = resolution.arch(einsum.name)
    spec_einsum, spec_workload = einsum.shape.einsum, resolution.spec.workload
    is_copy, instances = False, 1.0
    with errors.catch():
        place = spec_einsum.place_of("is_copy_operation")
        value = evaluate(spec_einsum.is_copy_operation, einsum.scope, place)
        is_copy = as_bool(value, "is_copy_operation", place)
        if is_copy and len(einsum.shape.tensors) != 2:
            errors.add(f"copy Einsum {einsum.name} must have two tensors, it has {len(einsum.shape.tensors)}", place)
    for owner in (spec_workload, spec_einsum):
        with errors.catch():
            place = owner.place_of("n_instances")
            instances *= positive(evaluate(owner.n_instances, einsum.scope, place), "n_instances", place)
    found = _paths(resolution, einsum.name, errors, hopeless)
    tensors = arch.tensors
    names = frozenset(t.base for t in tensors)
    own = ErrorCollector()  # what another Einsum has told of is noted once only, and still wrong here
    components = [component for path in found for component in _components(path, own)]
    leaks = arch.leaks(own)
    for wrong in own.problems:
        errors.add(wrong.message, wrong.position, wrong.suggestion)
    if found and not own:
        _check_holdable(spec_einsum, found, names, errors, hopeless)
    made = EinsumProblem(
        name=einsum.name,
        bounds={v: workload.bounds[v] for v in einsum.shape.variables},
        tensors=tensors,
        shared=workload.shared & names,
        intermediates=workload.intermediates & names,
        paths=found,
        leaks=leaks,
        is_copy=is_copy,
        n_instances=instances,
    )
    if not own and (excess := too_large(made, components)):
        errors.add(f"{excess}, more than numbers can hold: use smaller numbers", spec_einsum.position_of(""))
    return made


def _paths(
    resolution: Resolution, einsum: str, errors: ErrorCollector, hopeless: ErrorCollector
) -> tuple[ArchPath, ...]:
    """The paths to the Computes that are enabled for an Einsum, without disabled components."""
    arch = resolution.arch(einsum)
    before = len(errors)
    accesses = arch.accesses
    on: dict[str, bool] = {}
    for name, place in arch.places.items():
        with errors.catch():
            on[name] = arch.enabled(place)
    result = [
        ArchPath(resolution, einsum, tuple(n.name for n in nodes if on.get(n.name)), accesses)
        for nodes in paths(resolution.spec.arch)
        if on.get(nodes[-1].name)
    ]
    if not result and len(errors) == before:
        computes = "; ".join(_switch(nodes[-1]) for nodes in paths(resolution.spec.arch))
        message = f"no Compute is enabled for Einsum {einsum} (the architecture has {computes})"
        hopeless.add(message, resolution.spec.workload.einsum(einsum).position_of(""))
    return tuple(result)


def _switch(node: ArchNode) -> str:
    """A Compute, and what it says of when it is enabled."""
    place = node.position_of("enabled")
    where = f" at {place.file}:{place.line}" if place is not None else ""
    return f"{node.name}, enabled: {node.enabled}{where}" if isinstance(node, Container) else node.name


def _components(path: ArchPath, errors: ErrorCollector) -> Iterator[Component]:
    """Every component of a path, evaluated once, all that may be held being held."""
    held: dict[str, frozenset[str]] = {}
    for index, name in enumerate(path.names):
        with errors.catch():
            component = path.component(index, held)
            if component.holding is not None:
                held[name] = component.holding.must | component.holding.may
            yield component


def _check_holdable(
    einsum: Einsum,
    found: tuple[ArchPath, ...],
    tensors: frozenset[str],
    errors: ErrorCollector,
    hopeless: ErrorCollector,
) -> None:
    """Every tensor must be held somewhere by some choice of holders on some path."""
    missing = set(tensors)
    budget = [MAX_CHOICES]

    def search(path: ArchPath, index: int, held: dict[str, frozenset[str]]) -> None:
        if not missing or budget[0] <= 0 or index == len(path.names):
            return
        budget[0] -= 1
        component = path.component(index, held)
        rules = component.holding
        if rules is None or component.kind is ComponentKind.TOLL:
            search(path, index + 1, held)
            return
        may = sorted(rules.may)
        for size in range(len(may), -1, -1):
            for chosen in combinations(may, size):
                if not missing or budget[0] <= 0:
                    return
                kept = rules.must | frozenset(chosen)
                missing.difference_update(kept)
                search(path, index + 1, {**held, component.name: kept})

    with errors.catch():
        for path in found:
            search(path, 0, {})
    if budget[0] > 0:
        for tensor in sorted(missing):
            memories = dict.fromkeys(
                name for path in found for name in path.names if path.kind(name) is ComponentKind.MEMORY
            )
            message = (
                f"no memory may keep tensor {tensor} of Einsum {einsum.name}, whatever is chosen above it: let one of "
                f"{', '.join(memories)} keep it (tensors: keep or may_keep)"
            )
            place = next((a.position_of() for a in einsum.tensor_accesses if a.name == tensor), None)
            hopeless.add(message, place)


_LIMITS = {
    "max_fused_loops": at_least_zero,
    "max_fused_loops_per_rank_variable": at_least_zero,
    "max_loops_per_spatial_dimension": at_least_zero,
    "objective_tolerance": at_least_zero,
    "resource_usage_tolerance": at_least_zero,
    "max_pmapping_templates_per_einsum": positive,
    "time_limit": positive,
    "memory_limit": positive,
}


def mapper_options(spec: Spec, errors: ErrorCollector) -> MapperOptions:
    """``spec.mapper.ffm``, evaluated and checked."""
    ffm: FFM = spec.mapper.ffm
    trace = Trace()
    variables = variable_scope(spec.variables, trace, table_place(spec, "variables"))
    fields = Fields(ffm, Scope({}, variables), trace, "mapper.ffm")
    values: dict[str, object] = {}
    for attribute in attrs.fields(MapperOptions):
        name = attribute.name
        if not hasattr(ffm, name) or name in IMPERFECT:
            continue  # set by the caller of the search, not by a spec; or read when rank variables are known
        with errors.catch():
            if name == "metrics":
                values[name] = getattr(ffm, name)
            elif isinstance(attribute.default, bool):
                values[name] = fields.truth(name)
            else:
                values[name] = fields.number(name, _LIMITS.get(name, as_number))
    if not ffm.metrics:
        errors.add("mapper.ffm.metrics names no metric", ffm.place_of("metrics"))
    return MapperOptions(**values)  # type: ignore[arg-type]


@total_budget()
def totals(spec: Spec, cost_model: CostHook | None, what: str) -> Mapping[str, float]:
    """``area`` (m²) or ``leak_power`` (W) of each component, all instances; the greatest over the Einsums."""
    errors = ErrorCollector()
    resolution = Resolution(spec, CostBook(), cost_model)
    check_tree(spec.arch, errors)
    workload = resolution.evaluate(errors)
    errors.raise_if_any()
    result: dict[str, float] = {}
    for einsum in workload.einsums:
        arch = resolution.arch(einsum.name)
        for name, place in arch.places.items():
            with errors.catch():
                value = _total(arch, place, what)
                if value is not None:
                    result[name] = max(result.get(name, 0.0), value)
    errors.raise_if_any()
    return result


def _total(arch: EinsumArch, place: Place, what: str) -> float | None:
    from ffcore.spec.architecture import Hardware

    if not isinstance(place.node, Hardware):
        return None
    value: float | None = getattr(arch.costs(arch.fields(place, None)), what)
    if value is None:
        raise SpecError.one(
            f"{what} of {place.node.name} is unknown: give it, or install a cost model", place.node.position_of("")
        )
    return value * arch.instances(place)

"""Workload and renames, evaluated: tensors, bounds and the names that expressions see in each Einsum."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

import attrs

from ffcore.errors import ErrorCollector, Position, SpecError
from ffcore.spec.expressions import NameSet, RankVariableSet, TensorSet, evaluate
from ffcore.spec.problem import RankExpression, Tensor, Union, union_of
from ffcore.spec.renames import Rename
from ffcore.spec.resolve.bounds import EinsumShape, resolve_bounds, shape_of
from ffcore.spec.resolve.einsum_checks import check_dataflow, check_names, check_renames
from ffcore.spec.resolve.scope import Lazy, Scope, Trace
from ffcore.spec.resolve.values import as_bool, as_tensors, bits_of_value, by_tensor
from ffcore.spec.workload import Einsum, Workload, check_length

if TYPE_CHECKING:
    from ffcore.spec.spec import Spec


MAX_TENSORS, MAX_RANKS = 200, 100
"""Tensors of an Einsum, and ranks of a tensor: each is compared with all others."""

MAX_OF_ARCH = 300_000
"""Variables of the architecture, which each Einsum sees with names of its own, times Einsums."""

MAX_VARIABLES, MAX_RENAMES = 10_000, 20_000
"""Variables of a table, and renames of all Einsums together (those of ``default`` for each)."""

MAX_RANK_VARIABLES = 60
"""Rank variables of an Einsum: an array of all tile sizes has an axis for each."""


class Info:
    """What set expressions may know of one tensor; bits are evaluated when asked for."""

    __slots__ = ("_bits", "rank_variables")

    def __init__(self, rank_variables: frozenset[str], bits: Callable[[], float]) -> None:
        self.rank_variables = rank_variables
        self._bits = bits

    @property
    def bits_per_value(self) -> float:
        return self._bits()


@attrs.define(eq=False)
class ResolvedEinsum:
    """One Einsum with the names that its expressions, and the architecture's, may use."""

    shape: EinsumShape
    scope: Scope
    universe: Mapping[str, Info]
    trace: Trace
    renames: tuple[tuple[Rename, Lazy, bool], ...]  # (rename, value, must be rank variables)
    bounds: Mapping[str, int]  # of all rank variables

    @property
    def name(self) -> str:
        return self.shape.einsum.name

    def tensor_set(self, names: frozenset[str]) -> TensorSet:
        """The set of this Einsum's tensors among ``names``."""
        return TensorSet(names & self.universe.keys(), self.universe)


@attrs.define(eq=False)
class ResolvedWorkload:
    """All Einsums, and the bound of each rank variable."""

    einsums: tuple[ResolvedEinsum, ...]
    bounds: Mapping[str, int]
    intermediates: frozenset[str]
    shared: frozenset[str]


def variable_scope(variables: Mapping[str, object], trace: Trace, place: Callable[[str], Position | None]) -> Scope:
    """``variables:``, which see each other. Raises SpecError for too many."""
    if len(variables) > MAX_VARIABLES:
        raise SpecError.one(f"there are {len(variables):,} variables, more than {MAX_VARIABLES:,}", place(""))
    own: dict[str, Lazy | object] = {}
    scope = Scope(own)
    for name, value in variables.items():
        own[name] = Lazy(f"variables.{name}", place(name), partial(evaluate, value, scope, place(name)), trace)
    return scope


def table_place(node: object, field: str) -> Callable[[str], Position | None]:
    """Where the entry ``key`` of a table was set."""

    def place(key: str) -> Position | None:
        at: Callable[[str], Position | None] = node.position_of  # type: ignore[attr-defined]
        return at(f"{field}.{key}") or at(field) or at("")

    return place


def resolve_workload(spec: Spec, variables: Scope, trace: Trace, errors: ErrorCollector) -> ResolvedWorkload:
    """Evaluate the workload; everything wrong is added to ``errors``. Raises SpecError for too much."""
    workload = spec.workload
    if not workload.einsums:
        errors.add("the workload has no Einsum", workload.position_of(""))
    accesses = sum(len(einsum.tensor_accesses) for einsum in workload.einsums)
    check_length(len(workload.einsums), accesses, workload.position_of("einsums"))
    _check_size(spec)
    shapes = [s for s in (shape_of(e, errors) for e in workload.einsums) if s is not None]
    for shape in shapes:
        if len(shape.variables) > MAX_RANK_VARIABLES:
            message = f"Einsum {shape.einsum.name} has {len(shape.variables):,} rank variables"
            raise SpecError.one(f"{message}, more than {MAX_RANK_VARIABLES}", shape.einsum.position_of(""))
    check_dataflow(shapes, errors)
    check_names(shapes, errors)
    bounds = resolve_bounds(workload, shapes, variables, trace, errors)
    written = {t.base for s in shapes for t in s.tensors if t.output}
    read = {t.base for s in shapes for t in s.tensors if not t.output}
    users: dict[str, set[str]] = {}
    for shape in shapes:
        for name in shape.names:
            users.setdefault(name, set()).add(shape.einsum.name)
    check_renames(spec, shapes, errors)
    intermediates, shared = frozenset(written & read), frozenset(t for t, by in users.items() if len(by) > 1)
    strangers = _foreign_names(spec, shapes)
    einsums = tuple(
        _resolve_einsum(spec, s, bounds, intermediates, shared, strangers, variables, trace) for s in shapes
    )
    for einsum in einsums:
        _check_einsum(einsum, errors)
    return ResolvedWorkload(einsums, bounds, intermediates, shared)


def _check_size(spec: Spec) -> None:
    """Refuse tensors, ranks and renames that it would take minutes to look at."""
    einsums, renames = spec.workload.einsums, 0
    if len(spec.arch.variables) * len(einsums) > MAX_OF_ARCH:
        message = f"{len(einsums):,} Einsums times {len(spec.arch.variables):,} variables of the architecture"
        raise SpecError.one(f"{message} are more than {MAX_OF_ARCH:,}", spec.arch.position_of("variables"))
    for einsum in einsums:
        if len(einsum.tensor_accesses) > MAX_TENSORS:
            message = f"Einsum {einsum.name} has {len(einsum.tensor_accesses):,} tensors, more than {MAX_TENSORS}"
            raise SpecError.one(message, einsum.position_of(""))
        for access in einsum.tensor_accesses:
            if len(access.projection) > MAX_RANKS:
                message = f"tensor {access.name} has {len(access.projection):,} ranks, more than {MAX_RANKS}"
                raise SpecError.one(message, access.position_of(""))
        renames += len(einsum.renames.tensor_accesses) + len(einsum.renames.rank_variables)
    common = spec.renames.entry("default")
    renames += len(einsums) * (len(common.tensor_accesses) + len(common.rank_variables)) if common else 0
    if renames > MAX_RENAMES:
        message = f"{len(einsums):,} Einsums have {renames:,} renames together, more than {MAX_RENAMES:,}"
        raise SpecError.one(f"{message}: map parts of the workload on their own", spec.workload.position_of("einsums"))


def tensors_of(einsum: ResolvedEinsum) -> tuple[Tensor, ...]:
    """The Einsum's tensors, bits and persistence evaluated: inputs, then outputs.

    Their ranks are those that the indices stand for (`RankExpression.digits`). A tensor that is read with several
    projections is there once for each of them, with the `Union` of all.
    """
    persistent = as_tensors(einsum.scope["Persistent"], "Persistent", None).names
    shape, bits = einsum.shape, einsum.universe
    order = {name: place for place, name in enumerate(shape.names)}
    result = []
    for t in sorted(shape.tensors, key=lambda t: (t.output, order[t.base])):
        union = _union(t, shape.by_name[t.base], einsum.bounds)
        width, stays = bits[t.base].bits_per_value, t.base in persistent
        ranks = _digits(t, einsum.bounds)
        result.append(attrs.evolve(t, ranks=ranks, bits_per_value=width, persistent=stays, union=union))
    return tuple(result)


def _union(tensor: Tensor, accesses: Sequence[Tensor], bounds: Mapping[str, int]) -> Union | None:
    """What an access says of all that its tensor's backing holder keeps; None where it is the only one."""
    known = all(v in bounds for t in accesses for v in t.variables)
    if len(accesses) == 1 or not known or len({frozenset(r.rank for r in t.ranks) for t in accesses}) > 1:
        return None  # or what is wrong has been reported
    union = union_of([t.ranks for t in accesses], bounds)
    return union if tensor.access_of is None else attrs.evolve(union, others=0)


def _digits(tensor: Tensor, bounds: Mapping[str, int]) -> tuple[RankExpression, ...]:
    known = all(v in bounds for v in tensor.variables)  # else it has been reported
    return tuple(digit for r in tensor.ranks for digit in r.digits(bounds)) if known else tensor.ranks


def _resolve_einsum(
    spec: Spec,
    shape: EinsumShape,
    bounds: Mapping[str, int],
    intermediates: frozenset[str],
    shared: frozenset[str],
    strangers: tuple[frozenset[str], frozenset[str]],
    variables: Scope,
    trace: Trace,
) -> ResolvedEinsum:
    universe: dict[str, Info] = {}
    own: dict[str, Lazy | object] = {}
    ranks = {v: None for t in shape.tensors for r in t.ranks for v, _ in r.terms}
    everything = frozenset(shape.names)

    def pick(names: frozenset[str]) -> TensorSet:
        return TensorSet(names & everything, universe)

    symbols: dict[str, Lazy | object] = {}
    foreign = _Foreign(*strangers, pick(frozenset()), RankVariableSet((), ranks))
    base = Scope(symbols, Scope(foreign, variables))
    scope = Scope(own, base)
    bits = Lazy(
        f"bits_per_value of Einsum {shape.einsum.name}", None, lambda: _bits(spec.workload, shape, scope), trace
    )
    for name, accesses in shape.by_name.items():
        used = frozenset(v for t in accesses for v in t.variables)
        universe[name] = Info(used, partial(_bits_of, bits, name))
    outputs = frozenset(t.name for t in shape.tensors if t.output)
    symbols |= {v: RankVariableSet((v,), ranks) for v in ranks}
    symbols |= {t: pick(frozenset((t,))) for t in shape.names}
    symbols |= {"All": pick(everything), "Tensors": pick(everything), "Nothing": pick(frozenset())}
    symbols |= {"Inputs": pick(everything - outputs), "Outputs": pick(outputs)}
    symbols |= {"Intermediates": pick(intermediates), "Shared": pick(shared)}
    symbols["Persistent"] = Lazy(
        f"persistent tensors of Einsum {shape.einsum.name}",
        spec.workload.position_of("persistent_tensors"),
        lambda: pick(_persistent(spec.workload, shape, scope)),
        trace,
    )
    renames = tuple(_renames(spec, shape.einsum, scope, trace))
    own |= {rename.name: lazy for rename, lazy, _ in renames}
    return ResolvedEinsum(shape, scope, universe, trace, renames, bounds)


@attrs.frozen(eq=False)
class _Foreign(Mapping[str, object]):
    """The names of other Einsums, as an Einsum sees them that lacks them: tables of their own would be quadratic."""

    tensors: frozenset[str]
    rank_variables: frozenset[str]
    no_tensors: TensorSet
    no_variables: RankVariableSet

    def __getitem__(self, name: str) -> object:
        if name in self.tensors:
            return self.no_tensors
        if name in self.rank_variables:
            return self.no_variables
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in self.tensors or name in self.rank_variables

    def __iter__(self) -> Iterator[str]:
        yield from self.tensors
        yield from self.rank_variables - self.tensors

    def __len__(self) -> int:
        return len(self.tensors | self.rank_variables)


def _bits_of(bits: Lazy, name: str) -> float:
    table = bits.get()
    assert isinstance(table, dict)
    return float(table[name])


def _bits(workload: Workload, shape: EinsumShape, scope: Scope) -> dict[str, float]:
    """Bits per value of each tensor: the access's own, else the workload's."""
    result: dict[str, float] = {}
    for access in shape.einsum.tensor_accesses:
        if access.bits_per_value is not None:
            place = access.place_of("bits_per_value")
            result[access.name] = bits_of_value(evaluate(access.bits_per_value, scope, place), "bits_per_value", place)
    everything = frozenset(shape.names)
    if everything - result.keys():
        place_of = table_place(workload, "bits_per_value")
        result = (
            by_tensor(workload.bits_per_value, scope, everything, "bits_per_value", place_of, bits_of_value) | result
        )
    for access in shape.einsum.tensor_accesses:
        if access.name not in result:
            message = f"tensor {access.name} of Einsum {shape.einsum.name} has no bits_per_value"
            raise SpecError.one(message, access.place_of("bits_per_value"))
    return result


def _persistent(workload: Workload, shape: EinsumShape, scope: Scope) -> frozenset[str]:
    result: frozenset[str] = frozenset()
    if workload.persistent_tensors is not None:
        place = workload.position_of("persistent_tensors")
        result = as_tensors(evaluate(workload.persistent_tensors, scope, place), "persistent_tensors", place).names
    for access in shape.einsum.tensor_accesses:
        if access.persistent is not None:
            place = access.place_of("persistent")
            here = as_bool(evaluate(access.persistent, scope, place), "persistent", place)
            result = result | {access.name} if here else result - {access.name}
    return result


def _renames(spec: Spec, einsum: Einsum, scope: Scope, trace: Trace) -> list[tuple[Rename, Lazy, bool]]:
    """The renames that apply: the Einsum's own, the entry of its name, then ``default``, per name."""
    found: dict[str, tuple[Rename, Lazy, bool]] = {}
    for entry in (einsum.renames, spec.renames.entry(einsum.name), spec.renames.entry("default")):
        if entry is None:
            continue
        for renames, variables in ((entry.tensor_accesses, False), (entry.rank_variables, True)):
            for rename in renames:
                if rename.name not in found:
                    place = rename.place_of("source")
                    label = f"rename {rename.name} in Einsum {einsum.name}"
                    compute = partial(_rename_value, rename, scope, variables)
                    found[rename.name] = rename, Lazy(label, place, compute, trace), variables
    return list(found.values())


def _rename_value(rename: Rename, scope: Scope, variables: bool) -> NameSet:
    place = rename.place_of("source")
    value = evaluate(rename.source, scope, place)
    kind = RankVariableSet if variables else NameSet
    if not isinstance(value, kind):
        what = "rank variables" if variables else "tensors"
        raise SpecError.one(f"rename {rename.name} must be a set of {what}, got {value!r}", place)
    return value


def _check_einsum(einsum: ResolvedEinsum, errors: ErrorCollector) -> None:
    """Evaluate everything that is otherwise evaluated on demand, and the expected counts."""
    with errors.catch():
        tensors_of(einsum)
    for rename, lazy, _ in einsum.renames:
        with errors.catch():
            value = lazy.get()
            if rename.expected_count is None:
                continue
            place = rename.place_of("expected_count")
            expected = evaluate(rename.expected_count, einsum.scope, place)
            if isinstance(value, NameSet) and len(value) != expected:
                message = f"rename {rename.name} of Einsum {einsum.name} is {value}: {len(value)} members"
                errors.add(f"{message}, expected {expected}", place)


def _foreign_names(spec: Spec, shapes: list[EinsumShape]) -> tuple[frozenset[str], frozenset[str]]:
    """Tensors and renames, and rank variables, of all Einsums: empty sets where an Einsum lacks them."""
    tensors = {name for s in shapes for name in s.names}
    ranks = {v for s in shapes for t in s.tensors for r in t.ranks for v, _ in r.terms}
    for entry in (*(s.einsum.renames for s in shapes), *spec.renames.einsums):
        tensors |= {r.name for r in entry.tensor_accesses}
        ranks |= {r.name for r in entry.rank_variables}
    return frozenset(tensors), frozenset(ranks - tensors)

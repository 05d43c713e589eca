"""Shapes of the Einsums: their index expressions, and the bound of every rank variable."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial

import attrs

from ffcore.errors import ErrorCollector, Position, SpecError, SpecWarning, suggest
from ffcore.spec.einsum_text import parse_index
from ffcore.spec.expressions import evaluate
from ffcore.spec.problem import RankExpression, Tensor
from ffcore.spec.resolve.ranges import Limit, Range, limits_of, narrowed, stated
from ffcore.spec.resolve.scope import Lazy, Scope, Trace
from ffcore.spec.resolve.values import count
from ffcore.spec.workload import Einsum, TensorAccess, Workload


@attrs.frozen
class EinsumShape:
    """An Einsum and its tensors, in the order of the accesses; bits and persistence still open.

    ``accesses``: what the file says of each; of those that read a tensor in the same way, the first.
    """

    einsum: Einsum
    tensors: tuple[Tensor, ...]
    accesses: tuple[TensorAccess, ...]

    @cached_property
    def by_name(self) -> Mapping[str, Sequence[Tensor]]:
        """The accesses of each tensor."""
        found: dict[str, list[Tensor]] = {}
        for tensor in self.tensors:
            found.setdefault(tensor.base, []).append(tensor)
        return found

    @property
    def names(self) -> tuple[str, ...]:
        """The tensors, however often each is read."""
        return tuple(self.by_name)

    @property
    def variables(self) -> tuple[str, ...]:
        """Rank variables in order of first use, inputs before outputs."""
        ordered = sorted(self.tensors, key=lambda t: t.output)
        return tuple({v: None for t in ordered for r in t.ranks for v, _ in r.terms})


def shape_of(einsum: Einsum, errors: ErrorCollector) -> EinsumShape | None:
    """Parse an Einsum's projections; None if they are wrong (then it is noted in ``errors``)."""
    before = len(errors)
    here = einsum.position_of("")
    if not any(a.output for a in einsum.tensor_accesses):
        errors.add(f"Einsum {einsum.name} has no output (output: True)", here)
    if all(a.output for a in einsum.tensor_accesses) and einsum.tensor_accesses:
        errors.add(f"Einsum {einsum.name} has no input", here)
    found: dict[str, list[tuple[Tensor, TensorAccess]]] = {}  # by tensor, those that differ
    order: list[tuple[Tensor, TensorAccess]] = []
    for access in einsum.tensor_accesses:
        own = found.setdefault(access.name, [])
        tensor = _tensor(access, errors)
        if own:
            tensor = _as_the_first(access, tensor, own[0][0])
            _check_twice(einsum, access, own[0][1], tensor, own[0][0], errors)
        if any(_indices(tensor) == _indices(other) for other, _ in own):
            continue
        if own:
            tensor = attrs.evolve(tensor, name=f"{access.name}@{len(own) + 1}", access_of=access.name)
        own.append((tensor, access))
        order.append(own[-1])
    if len(errors) > before:
        return None
    return EinsumShape(einsum, tuple(t for t, _ in order), tuple(a for _, a in order))


def _as_the_first(access: TensorAccess, tensor: Tensor, first: Tensor) -> Tensor:
    """In ``X[m, k] * X[n, k]`` the second access has the ranks of the first, in order, as it names none itself."""
    names = [r.rank for r in first.ranks]
    named = any(rank != index.upper() for rank, index in access.projection.items())
    if named or len(names) != len(tensor.ranks) or {r.rank for r in tensor.ranks} == set(names):
        return tensor
    return attrs.evolve(tensor, ranks=tuple(attrs.evolve(r, rank=n) for r, n in zip(tensor.ranks, names, strict=True)))


def _check_twice(
    einsum: Einsum, access: TensorAccess, other: TensorAccess, tensor: Tensor, first: Tensor, errors: ErrorCollector
) -> None:
    """An Einsum may read a tensor several times, with the same indices (one access) or others, and not write it."""
    place = access.position_of("") or einsum.position_of("")
    if access.output or other.output:
        errors.add(f"Einsum {einsum.name} has tensor {access.name} twice, and writes it", place)
    elif (access.bits_per_value, access.persistent) != (other.bits_per_value, other.persistent):
        errors.add(f"Einsum {einsum.name} says two things of tensor {access.name}, which it reads twice", place)
    elif _indices(tensor) == _indices(first) and list(access.projection) != list(other.projection):
        written, turned = (f"{access.name}[{', '.join(a.projection.values())}]" for a in (other, access))
        pairs = zip(other.projection, access.projection.values(), strict=True)
        named = ", ".join(f"{rank}: {index}" for rank, index in pairs)
        message = (
            f"Einsum {einsum.name} reads {written} and {turned}, which are the same values: a rank is called like its "
            f"variable unless it is named, as in {access.name}[{named}]"
        )
        warnings.warn(SpecWarning(f"{place}: {message}" if place else message), stacklevel=2)


def _indices(tensor: Tensor) -> dict[str, object]:
    """The index of each rank, whatever order its terms are written in."""
    return {r.rank: r.index for r in tensor.ranks}


def _tensor(access: TensorAccess, errors: ErrorCollector) -> Tensor:
    ranks = []
    for rank, index in access.projection.items():
        place = access.position_of(f"projection.{rank}") or access.place_of("projection")
        try:
            terms, constant = parse_index(index)
        except SpecError as error:
            errors.add(error.problems[0].message, place)
            continue
        falling = tuple(v for v, c in terms if c < 0)
        ranks.append(RankExpression(rank, tuple((v, abs(c)) for v, c in terms), constant, falling=falling))
    return Tensor(access.name, tuple(ranks), access.output, 1.0)


def _named(access: TensorAccess) -> set[str]:
    """Rank variables that a tensor's indices name, also where an index is wrong: that is said of the index alone."""
    return {name for index in access.projection.values() for name in re.findall(r"[^\W\d]\w*", str(index))}


@attrs.frozen
class _Source:
    """One thing that fixes the bound of a rank variable."""

    value: int
    what: str
    position: Position | None
    low: int = 0

    def __str__(self) -> str:
        return f"{self.value} from {self.what}" + (f" ({self.position})" if self.position else "")


def resolve_bounds(
    workload: Workload, shapes: list[EinsumShape], variables: Scope, trace: Trace, errors: ErrorCollector
) -> Mapping[str, int]:
    """The bound of each rank variable, the same in all Einsums; everything wrong is added to ``errors``."""
    sizes, scope = _rank_sizes([workload, *(s.einsum for s in shapes)], variables, trace, errors)
    everywhere = {v for e in workload.einsums for a in e.tensor_accesses for v in _named(a)}
    found: dict[str, _Source] = {}
    several: list[tuple[Limit, Position | None]] = []  # limits on several variables together

    def note(variable: str, source: _Source) -> None:
        known = found.setdefault(variable, source)
        if known.value != source.value:
            errors.add(f"rank variable {variable} has two bounds: {known} and {source}", source.position)

    several += _stated(workload, "the workload", everywhere, scope, note, errors)
    for shape in shapes:
        several += _stated(shape.einsum, f"Einsum {shape.einsum.name}", set(shape.variables), scope, note, errors)
        for tensor in shape.tensors:
            for rank in tensor.ranks:
                if rank.rank in sizes and len(rank.terms) == 1 and rank.terms[0][1] == 1 and rank.constant == 0:
                    note(rank.terms[0][0], sizes[rank.rank])
    _narrow(found, several, errors)
    _check_missing(sizes, shapes, found, errors)
    bounds = {variable: source.value for variable, source in found.items()}
    _check_reach(shapes, bounds, sizes, scope, errors)
    return bounds


def _check_reach(
    shapes: list[EinsumShape],
    bounds: Mapping[str, int],
    sizes: Mapping[str, _Source],
    scope: Scope,
    errors: ErrorCollector,
) -> None:
    """Warn of an index that goes beyond the size of its rank, declared or as written, but for padding.

    No error, since files of the field leave padding out: what is read beyond the rank then counts like other values.
    """
    written: dict[tuple[str, str], tuple[int, str]] = {}  # (tensor, rank) -> size, which Einsum wrote it
    for shape in shapes:
        for access, tensor in zip(shape.accesses, shape.tensors, strict=True):
            if not all(v in bounds for v in tensor.variables):
                continue
            for rank in tensor.ranks:
                reach = rank.reach(bounds)
                limits = [(s.value, "that rank_sizes states") for s in [sizes.get(rank.rank)] if s is not None]
                if not tensor.output and (tensor.base, rank.rank) in written:
                    size, writer = written[tensor.base, rank.rank]
                    limits.append((size, f"that Einsum {writer} writes"))
                if limits and reach > min(limits)[0]:
                    with errors.catch():
                        _check_padding(shape, access, rank, reach, *min(limits), scope)
                if tensor.output:
                    written[tensor.name, rank.rank] = reach, shape.einsum.name


def _check_padding(
    shape: EinsumShape, access: TensorAccess, rank: RankExpression, reach: int, size: int, what: str, scope: Scope
) -> None:
    place = access.position_of(f"projection.{rank.rank}") or access.place_of("projection")
    padding = 0
    if rank.rank in access.padding:
        at = access.position_of(f"padding.{rank.rank}") or place
        padding = count(evaluate(access.padding[rank.rank], scope, at), f"the padding of rank {rank.rank}", at)
    if reach > size + padding:
        message = (
            f"Einsum {shape.einsum.name} uses {reach} values of rank {rank.rank} of tensor {access.name}, more than "
            f"the {size} {what}{f' and {padding} of padding' if padding else ''}: make the rank larger, or say how it "
            f"is padded (padding: {{{rank.rank}: {reach - size}}})"
        )
        warnings.warn(SpecWarning(f"{place}: {message}" if place else message), stacklevel=2)


def _rank_sizes(
    owners: Sequence[Workload | Einsum], variables: Scope, trace: Trace, errors: ErrorCollector
) -> tuple[dict[str, _Source], Scope]:
    """Evaluated ``rank_sizes`` of the workload and of Einsums, which see each other and the variables."""
    own: dict[str, Lazy | object] = {}
    scope = Scope(own, variables)
    sizes: dict[str, _Source] = {}
    for owner in owners:
        for rank, value in owner.rank_sizes.items():
            place = owner.position_of(f"rank_sizes.{rank}") or owner.place_of("rank_sizes")
            lazy = Lazy(f"rank_sizes.{rank}", place, partial(evaluate, value, scope, place), trace)
            first = own.setdefault(rank, lazy)
            if first is not lazy:
                _check_same(rank, lazy, first, place, errors)
    for rank, found in own.items():
        assert isinstance(found, Lazy)
        with errors.catch():
            place = found.position() if callable(found.position) else found.position
            sizes[rank] = _Source(
                count(scope[rank], f"the size of rank {rank}", place), f"the size of rank {rank}", place
            )
    return sizes, scope


def _check_same(rank: str, mine: Lazy, first: object, place: Position | None, errors: ErrorCollector) -> None:
    """A rank has one size, whoever states it."""
    assert isinstance(first, Lazy)
    with errors.catch():
        if mine.get() != first.get():
            errors.add(f"rank {rank} has two sizes: {mine.get()} and {first.get()}", place)


def _stated(
    owner: Workload | Einsum,
    what: str,
    known: set[str],
    scope: Scope,
    note: Callable[[str, _Source], None],
    errors: ErrorCollector,
) -> list[tuple[Limit, Position | None]]:
    """Note the bounds that ``iteration_space_shape`` states; returns limits on several variables together."""
    shape = owner.iteration_space_shape
    items = shape.items() if isinstance(shape, Mapping) else [(str(i), text) for i, text in enumerate(shape)]
    several: list[tuple[Limit, Position | None]] = []
    for key, value in items:
        place = owner.position_of(f"iteration_space_shape.{key}") or owner.place_of("iteration_space_shape")
        with errors.catch():
            if isinstance(shape, Mapping) and key not in known:
                raise SpecError.one(f"{what} has no rank variable {key!r}", place, suggest(key, known))
            if isinstance(shape, Mapping) and not (isinstance(value, str) and any(c in value for c in "<>=")):
                bound = count(evaluate(value, scope, place), f"the bound of {key}", place)
                note(key, _Source(bound, f"iteration_space_shape of {what}", place))
                continue
            limits = limits_of(str(value), known, scope, place)
            ranges = stated(limits)
            several += [(limit, place) for limit in limits if len(limit.terms) > 1]
            if isinstance(shape, Mapping) and (others := ranges.keys() - {key}):
                raise SpecError.one(f"the entry for {key} bounds {', '.join(sorted(others))}", place)
            for variable, extent in ranges.items():
                _note_range(variable, extent, what, place, note)
    return several


def _note_range(
    variable: str, extent: Range, what: str, place: Position | None, note: Callable[[str, _Source], None]
) -> None:
    assert extent.low is not None
    if extent.high is None:
        raise SpecError.one(f"{variable} has no upper bound", place)
    values = count(extent.high - extent.low + 1, f"the bound of {variable}", place)
    note(variable, _Source(values, f"iteration_space_shape of {what}", place, extent.low))


def _narrow(
    found: dict[str, _Source], several: Sequence[tuple[Limit, Position | None]], errors: ErrorCollector
) -> None:
    """Cut bounds down to the box within limits on several variables together."""
    ranges = {v: Range(source.low, source.low + source.value - 1) for v, source in found.items()}
    box = narrowed(ranges, [limit for limit, _ in several])
    for limit, place in several:
        for variable in limit.terms:
            extent = box[variable] if variable in box else Range()
            if extent.low is None or extent.high is None or extent == ranges.get(variable):
                continue
            with errors.catch():
                values = count(extent.high - extent.low + 1, f"the bound of {variable}", place)
                found[variable] = _Source(values, "iteration_space_shape", place, extent.low)
    if several:
        place = several[0][1]
        sizes = " x ".join(
            f"{v} {found[v].value}" for v in dict.fromkeys(v for limit, _ in several for v in limit.terms) if v in found
        )
        message = f"a bound over several rank variables: all of the box around it counts ({sizes})"
        warnings.warn(SpecWarning(f"{place}: {message}" if place else message), stacklevel=2)


def _check_missing(
    sizes: Mapping[str, object], shapes: list[EinsumShape], found: Mapping[str, _Source], errors: ErrorCollector
) -> None:
    ranks = {r.rank for s in shapes for t in s.tensors for r in t.ranks}
    unused = [r for r in sizes if r not in ranks]
    reported: set[str] = set()
    for shape in shapes:
        for variable in shape.variables:
            indexed = [r.rank for t in shape.tensors for r in t.ranks if variable in dict(r.terms)]
            direct = [r.rank for t in shape.tensors for r in t.ranks if [v for v, _ in r.terms] == [variable]]
            if variable in found or variable in reported or any(r in sizes for r in direct):
                continue  # a size that is there but wrong has been reported
            reported.add(variable)
            message = (
                f"rank variable {variable} of Einsum {shape.einsum.name} has no bound: give the size of rank "
                f"{(direct or indexed)[0]} in rank_sizes, or {variable} in iteration_space_shape"
            )
            hint = next((h for r in direct if (h := suggest(r, unused))), None)
            errors.add(message, shape.einsum.position_of(""), hint)

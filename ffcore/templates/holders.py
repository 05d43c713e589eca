"""Which memory holds which tensor, and in what order the holders stand (semantics, section 2)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import combinations, pairwise

import attrs

from ffcore.errors import LimitError
from ffcore.spec.problem import Component, ComponentKind, EinsumProblem, Held, PathProblem

MAX_STEPS = 200_000
"""Steps of the choice of holders of one Einsum, and of their orders; what needs more has no end in sight."""

_HOLDING = (ComponentKind.MEMORY, ComponentKind.TOLL)


@attrs.frozen
class HolderChoice:
    """Which tensors each memory and Toll of a path takes, components evaluated accordingly."""

    components: tuple[Component, ...]
    held: tuple[tuple[int, tuple[str, ...]], ...]  # memory index -> tensors
    tolls: tuple[tuple[int, tuple[str, ...]], ...]


@attrs.frozen
class OrderedHolder:
    """A holder in its place in the order; the first ``HolderOrder.outer`` ones form group G0.

    ``joins``: it backs an access after the first, and stands right below the first one's, with which it is one.
    """

    tensor: str
    index: int
    backing: bool
    persistent: bool
    must: bool
    joins: bool = False


@attrs.frozen
class HolderOrder:
    """A choice of holders, outermost first; the first ``outer`` of them stand in group G0."""

    choice: HolderChoice
    holders: tuple[OrderedHolder, ...]
    outer: int  # size of G0


def subsets(items: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """All subsets, small ones first."""
    for size in range(len(items) + 1):
        yield from combinations(items, size)


class Steps:
    """Steps left to the choice of one Einsum's holders, or to that of their orders; ``take``: one more is done."""

    def __init__(self, einsum: EinsumProblem, pulse: Callable[[], None] | None = None) -> None:
        self.einsum = einsum
        self.left = MAX_STEPS
        self.pulse = pulse

    def take(self) -> None:
        """Raise LimitError where there are none left, and what ``pulse`` raises."""
        self.left -= 1
        if self.pulse is not None:
            self.pulse()
        if self.left < 0:
            raise LimitError(
                f"Einsum {self.einsum.name} has too many ways to hold its tensors (more than {MAX_STEPS:,} were looked "
                "at): let fewer memories choose (tensors: less in may_keep, more in keep), or give tensor_order_options"
            )


def holder_choices(
    einsum: EinsumProblem, path: PathProblem, pulse: Callable[[], None] | None = None
) -> Iterator[HolderChoice]:
    """Every choice of holders on a path that leaves no tensor nowhere. Raises LimitError for too many."""
    order = [t.name for t in einsum.tensors]
    yield from _choose(einsum, path, order, (), {}, (), (), Steps(einsum, pulse))


def _choose(
    einsum: EinsumProblem,
    path: PathProblem,
    order: Sequence[str],
    components: tuple[Component, ...],
    held: Held,
    memories: tuple[tuple[int, tuple[str, ...]], ...],
    tolls: tuple[tuple[int, tuple[str, ...]], ...],
    steps: Steps,
) -> Iterator[HolderChoice]:
    steps.take()
    index = len(components)
    if index == len(path.names):
        seen = {t for _, tensors in memories for t in tensors}
        if all(t in seen for t in order) and _backed_together(einsum, memories):
            yield HolderChoice(components, memories, tolls)
        return
    component = path.component(index, held)
    extended = (*components, component)
    if component.kind not in _HOLDING or component.holding is None:
        yield from _choose(einsum, path, order, extended, held, memories, tolls, steps)
        return
    above = {t for _, tensors in memories for t in tensors}
    must, may = component.holding.must, component.holding.may
    toll = component.kind is ComponentKind.TOLL
    if toll:  # a Toll only handles what is above it
        must, may = must & above, may & above
    if einsum.is_copy:  # a copied tensor is not kept again
        may = may - above
    for extra in subsets([t for t in order if t in may]):
        taken = tuple(t for t in order if t in must or t in extra)
        here = {**held, component.name: frozenset(taken)}
        if toll:
            yield from _choose(einsum, path, order, extended, here, memories, (*tolls, (index, taken)), steps)
        else:
            yield from _choose(einsum, path, order, extended, here, (*memories, (index, taken)), tolls, steps)


def _backed_together(einsum: EinsumProblem, memories: Sequence[tuple[int, tuple[str, ...]]]) -> bool:
    """Is the memory that backs a tensor the same for all of its accesses?"""
    backing: dict[str, int] = {}
    for index, tensors in memories:
        for name in tensors:
            backing.setdefault(name, index)
    return all(len({backing[name] for name in names}) == 1 for names in einsum.accesses.values())


def holder_orders(
    einsum: EinsumProblem, choice: HolderChoice, force_order: bool, steps: Steps
) -> Iterator[HolderOrder]:
    """Every legal order of the holders of one choice. Raises LimitError for too many."""
    outermost = choice.held[0][0] if choice.held else -1
    backed: set[str] = set()
    group: list[OrderedHolder] = []
    rest: list[OrderedHolder] = []
    for index, tensors in choice.held:
        holding = choice.components[index].holding
        assert holding is not None
        for name in tensors:
            backing = name not in backed
            backed.add(name)
            persistent = backing and einsum.tensor[name].persistent
            must = name in holding.must or name in holding.back
            joins = backing and einsum.tensor[name].access_of is not None
            holder = OrderedHolder(name, index, backing, persistent, must, joins)
            (group if persistent or index == outermost else rest).append(holder)
    if einsum.is_copy:
        # Below the last backing holder a copy has nothing to do.
        last = max((h.index for h in (*group, *rest) if h.backing), default=-1)
        rest = [h for h in rest if h.backing or h.index < last]
    fits = _Order(einsum, choice, force_order)
    if not all(fits.above(a, b) for a in group for b in rest):
        return
    joining = {h.tensor: h for h in rest if h.joins}
    for order in _linear_extensions(tuple(h for h in rest if not h.joins), fits):
        steps.take()
        holders = (*group, *_with_joining(einsum, order, joining))
        if not fits.redundant(holders) and fits.options(holders):
            yield HolderOrder(choice, holders, len(group))


def _with_joining(
    einsum: EinsumProblem, order: Sequence[OrderedHolder], joining: Mapping[str, OrderedHolder]
) -> Iterator[OrderedHolder]:
    """The order with the backing holders of further accesses right below the first one's."""
    for holder in order:
        yield holder
        if holder.backing:
            yield from (joining[name] for name in einsum.accesses.get(holder.tensor, ()) if name in joining)


def _linear_extensions(rest: tuple[OrderedHolder, ...], fits: _Order) -> Iterator[tuple[OrderedHolder, ...]]:
    if not rest:
        yield ()
        return
    for i, first in enumerate(rest):
        others = rest[:i] + rest[i + 1 :]
        if all(fits.above(first, other) for other in others):
            for tail in _linear_extensions(others, fits):
                yield (first, *tail)


@attrs.frozen
class _Order:
    """The rules that say which holder may stand above which."""

    einsum: EinsumProblem
    choice: HolderChoice
    force: bool

    def above(self, outer: OrderedHolder, inner: OrderedHolder) -> bool:
        """May ``outer`` stand above ``inner``?"""
        if outer.index <= inner.index:
            return True
        if outer.tensor == inner.tensor:
            return False
        if inner.backing and self._base(outer) == self._base(inner):
            return False  # another access of the tensor that ``inner`` backs
        if outer.backing and outer.tensor in self.einsum.shared:
            return False
        forced = self.force and self._forces(outer.index) and self._forces(inner.index)
        return not (forced and not outer.persistent and not inner.persistent)

    def _base(self, holder: OrderedHolder) -> str:
        return self.einsum.tensor[holder.tensor].base

    def _forces(self, index: int) -> bool:
        holding = self.choice.components[index].holding
        return holding is not None and holding.force_memory_hierarchy_order

    def redundant(self, holders: Sequence[OrderedHolder]) -> bool:
        """Two neighbours hold one tensor at equal fanout and the outer one need not be there."""
        for outer, inner in pairwise(holders):
            if outer.tensor == inner.tensor and not outer.backing and not outer.must:
                between = self.choice.components[outer.index + 1 : inner.index + 1]
                if all(c.fanout == 1 for c in between):
                    return True
        return False

    def options(self, holders: Sequence[OrderedHolder]) -> bool:
        """``tensor_order_options``: in each memory, one of the given orders holds."""
        for index, component in enumerate(self.choice.components):
            options = component.holding.tensor_order_options if component.holding else None
            if options is None:
                continue
            names = [h.tensor for h in holders if h.index == index]
            if not any(_follows(names, option) for option in options):
                return False
        return True


def _follows(names: Sequence[str], option: Sequence[frozenset[str]]) -> bool:
    ranks = [next((i for i, group in enumerate(option) if n in group), None) for n in names]
    known = [r for r in ranks if r is not None]
    return known == sorted(known)

"""Which memories hold which tensors, and in which order the holders stand (semantics, section 2)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import attrs

from ffcore.plugin import Component, ComponentKind, EinsumProblem, Holder, Holding, MapperOptions, PathProblem
from ffcore_exhaustive.accesses import backed_in_one_place, backed_together

HolderAt = tuple[int, str]  # (component index, tensor)


@attrs.frozen
class HolderChoice:
    """One choice of what every memory and Toll of a path holds.

    ``components`` are the evaluated components from the root to the compute; ``held`` maps the
    index of a component to its tensors (absent: none).
    """

    components: tuple[Component, ...]
    held: tuple[tuple[int, frozenset[str]], ...]

    def holders(self, kind: ComponentKind) -> list[HolderAt]:
        """(component index, tensor) of all holders of one kind, outermost component first."""
        return [
            (index, tensor)
            for index, tensors in self.held
            if self.components[index].kind is kind
            for tensor in sorted(tensors)
        ]

    @property
    def outermost_memory(self) -> int:
        return next(i for i, c in enumerate(self.components) if c.kind is ComponentKind.MEMORY)

    def backing(self, tensor: str) -> int:
        """Index of the outermost memory that holds the tensor."""
        return next(i for i, t in self.holders(ComponentKind.MEMORY) if t == tensor)

    def cumulative_fanout(self, index: int) -> int:
        """Instances of a component: the product of the fanouts down to and including its own."""
        result = 1
        for component in self.components[: index + 1]:
            result *= component.fanout
        return result


@attrs.frozen
class HolderOrder:
    """A legal order of a choice's memory holders: ``first`` is group G0, ``rest`` follows it."""

    first: tuple[HolderAt, ...]
    rest: tuple[HolderAt, ...]


def _subsets(names: frozenset[str]) -> Iterator[frozenset[str]]:
    ordered = sorted(names)
    for size in range(len(ordered) + 1):
        for subset in itertools.combinations(ordered, size):
            yield frozenset(subset)


def holder_choices(einsum: EinsumProblem, path: PathProblem) -> Iterator[HolderChoice]:
    """Every choice of holders that leaves no tensor without a memory.

    Decisions: a Toll handles a subset of ``may`` like a memory does, but only of what a memory
    above it holds; ``keep`` of a Toll on a tensor that is not above it asks for nothing. In a
    copy, what is held already leaves ``may`` (``must`` stays). The first holders of all accesses of
    one tensor are in one memory.
    """

    def extend(index: int, held: dict[str, frozenset[str]], choice: HolderChoice) -> Iterator[HolderChoice]:
        if index == len(path.names):
            everywhere = frozenset().union(*held.values()) >= frozenset(einsum.tensor)
            if everywhere and backed_in_one_place(einsum, choice.backing):
                yield choice
            return
        component = path.component(index, held)
        components = (*choice.components, component)
        if component.kind not in (ComponentKind.MEMORY, ComponentKind.TOLL) or component.holding is None:
            yield from extend(index + 1, held, HolderChoice(components, choice.held))
            return
        above = frozenset().union(*held.values())
        must, may = component.holding.must, component.holding.may
        if component.kind is ComponentKind.TOLL:
            must, may = must & above, may & above
        if einsum.is_copy:
            may = may - above
        for extra in _subsets(may - must):
            tensors = must | extra
            now_held = (*choice.held, (index, tensors)) if tensors else choice.held
            deeper = {**held, component.name: tensors} if component.kind is ComponentKind.MEMORY else held
            yield from extend(index + 1, deeper, HolderChoice(components, now_held))

    yield from extend(0, {}, HolderChoice((), ()))


def holder_orders(einsum: EinsumProblem, options: MapperOptions, choice: HolderChoice) -> Iterator[HolderOrder]:
    """Every legal and irredundant order of the memory holders of a choice.

    Decisions: a *persistent holder* is the backing holder of a persistent tensor; the m0 of the rule
    is the holder that stands above, so that no backing holder of a shared tensor stands above a holder
    of an outer memory (the peer finds the optima of this reading).
    """
    holders = choice.holders(ComponentKind.MEMORY)

    def backs(holder: HolderAt) -> bool:
        return choice.backing(holder[1]) == holder[0]

    def in_first(holder: HolderAt) -> bool:
        persistent = einsum.tensor[holder[1]].persistent and backs(holder)
        return persistent or holder[0] == choice.outermost_memory

    def must_precede(outer: HolderAt, inner: HolderAt) -> bool:
        if outer[0] >= inner[0]:
            return False
        forced = (
            options.force_memory_hierarchy_order
            and _holding(choice, outer[0]).force_memory_hierarchy_order
            and _holding(choice, inner[0]).force_memory_hierarchy_order
        )
        above_all = backs(outer) and _base(einsum, outer) == _base(einsum, inner)
        return outer[1] == inner[1] or above_all or forced or (backs(inner) and inner[1] in einsum.shared)

    first = tuple(h for h in holders if in_first(h))
    rest = [h for h in holders if not in_first(h)]
    seen = set()
    for order in _linear_extensions(rest, must_precede):
        if not _respects_tensor_order(choice, order) or _is_redundant(choice, (*first, *order), backs):
            continue
        if not backed_together(einsum, [h[1] if backs(h) else "" for h in order]):
            continue
        if einsum.is_copy:  # nothing moves below the last backing holder
            last = max((i for i, h in enumerate(order) if backs(h)), default=-1)
            order = order[: last + 1]
        if order not in seen:
            seen.add(order)
            yield HolderOrder(first, order)


def _base(einsum: EinsumProblem, holder: HolderAt) -> str:
    return einsum.tensor[holder[1]].access_of or holder[1]


def _holding(choice: HolderChoice, index: int) -> Holding:
    holding = choice.components[index].holding
    assert holding is not None
    return holding


def _linear_extensions(
    items: list[HolderAt], must_precede: Callable[[HolderAt, HolderAt], bool]
) -> Iterator[tuple[HolderAt, ...]]:
    if not items:
        yield ()
    for item in items:
        others = [other for other in items if other != item]
        if not any(must_precede(other, item) for other in others):
            for tail in _linear_extensions(others, must_precede):
                yield (item, *tail)


def _respects_tensor_order(choice: HolderChoice, order: tuple[HolderAt, ...]) -> bool:
    """Does each memory hold its tensors in the order of one of its ``tensor_order_options``?"""
    for index in {i for i, _ in order}:
        options = _holding(choice, index).tensor_order_options
        if options is None:
            continue
        tensors = [t for i, t in order if i == index]

        def fits(option: tuple[frozenset[str], ...], tensors: list[str] = tensors) -> bool:
            ranks = [next((r for r, group in enumerate(option) if t in group), None) for t in tensors]
            listed = [r for r in ranks if r is not None]
            return listed == sorted(listed)

        if not any(fits(option) for option in options):
            return False
    return True


def _is_redundant(choice: HolderChoice, order: tuple[HolderAt, ...], backs: Callable[[HolderAt], bool]) -> bool:
    """Is some holder one that bypassing covers: the next holder down is of the same tensor,
    with as many instances, and nothing asks for the outer of the two?"""
    return any(
        outer[1] == inner[1]
        and choice.cumulative_fanout(outer[0]) == choice.cumulative_fanout(inner[0])
        and not backs(outer)
        and outer[1] not in _holding(choice, outer[0]).must
        for outer, inner in itertools.pairwise(order)
    )


def as_holder(choice: HolderChoice, holder: HolderAt) -> Holder:
    """The holder as a node of a nest."""
    return Holder(tensor=holder[1], component=choice.components[holder[0]].name)

"""Which explorations the points of a sweep need: Einsums of equal content share one (`restrict` says why it may).

A plan holds little for each point: what a point needs is found out again where it is asked for.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

import attrs

from ffcore.plugin import Metric, Problem, Stored, needs, resized, shapes_of
from ffcore_sweep.needs import Key, Latencies, Need, Needs, keys_of
from ffcore_sweep.points import Point
from ffcore_sweep.restrict import Preferences, Sizes, prefers_alike

_PROPORTIONAL = 1e-14  # relative
_NONE = Metric(0)


@attrs.frozen(eq=False)
class Exploration:
    """What is explored once for several needs: at ``sizes`` that are enough for all of them.

    ``apart``: seconds per action of each latency that rows keep apart, in the order of the rows' shape.
    """

    stored: Stored
    sizes: Sizes
    apart: tuple[tuple[str, Mapping[str, float]], ...]

    def scales(self, need: Need) -> tuple[tuple[str, float], ...]:
        """What the latencies that rows keep apart are to be multiplied by for a need: (component, factor) of each."""
        return tuple((name, _ratio(need.latencies.get(name, {}), form)) for name, form in self.apart)


def _ratio(own: Mapping[str, float], form: Mapping[str, float]) -> float:
    action = next(iter(form))
    return own.get(action, 0.0) / form[action]


@attrs.define
class _Wanted:
    """What all needs of equal sizes and latencies ask for."""

    sizes: Sizes
    latencies: Latencies
    loops: float = 0.0  # the most that may be fused
    metrics: Metric = _NONE
    memories: frozenset[str] = frozenset()  # that the join looks at

    def add(self, need: Need) -> None:
        self.loops = max(self.loops, need.options.max_fused_loops)
        self.metrics |= need.options.metrics
        self.memories |= set(need.shape.memories)


@attrs.frozen
class _Group:
    """Needs that one exploration meets. ``example``: one of them, as number of a point and of its Einsum."""

    example: tuple[int, int]
    wanted: tuple[_Wanted, ...]
    effort: float


@attrs.frozen(eq=False)
class Plan:
    """The explorations, by number, and which of them each point needs."""

    points: Sequence[Point]
    needs: Needs
    groups: Sequence[_Group]
    order: Mapping[int, tuple[int, ...]]  # by number of the point, explorations of its Einsums
    _numbers: Mapping[Key, int]

    def effort(self, number: int) -> float:
        """A rough measure of how long an exploration takes, to begin with what takes longest."""
        return self.groups[number].effort

    def exploration(self, number: int) -> Exploration:
        """One of them, as it is to be explored."""
        group = self.groups[number]
        point, einsum = group.example
        return _exploration(self.needs.of(self.points[point])[einsum], group.wanted)

    def needs_of(self, point: Point) -> tuple[tuple[Need, int], ...]:
        """Per Einsum of a point its need, and the number of the exploration that meets it."""
        return tuple((need, self._numbers[need.key]) for need in self.needs.of(point))


def plan(points: Sequence[Point]) -> Plan:
    """The fewest explorations that are known to be exact, for the points that share pmappings."""
    found = Needs()
    contents: dict[str, tuple[tuple[int, int], dict[Key, _Wanted]]] = {}
    keys: dict[int, tuple[Key, ...]] = {}
    known: dict[Key, Key] = {}  # each key once in memory
    for number, point in enumerate(points):
        if not point.shares:
            continue
        own = []
        for i, need in enumerate(found.of(point)):
            key = known.setdefault(need.key, need.key)
            _, wanted = contents.setdefault(need.content, ((number, i), {}))
            wanted.setdefault(key, _Wanted(need.sizes, need.latencies)).add(need)
            own.append(key)
        keys[number] = tuple(own)
    groups: list[_Group] = []
    numbers: dict[Key, int] = {}
    for example, wanted in contents.values():
        first = found.of(points[example[0]])[example[1]]
        for together in _groups(first, wanted):
            numbers.update(dict.fromkeys(together, len(groups)))
            groups.append(_Group(example, tuple(wanted[key] for key in together), first.stock.effort))
    tuples: dict[tuple[int, ...], tuple[int, ...]] = {}
    order = {}
    for number, own_keys in keys.items():
        explorations = tuple(numbers[key] for key in own_keys)
        order[number] = tuples.setdefault(explorations, explorations)
    return Plan(points, found, groups, order, numbers)


def _groups(first: Need, wanted: Mapping[Key, _Wanted]) -> list[list[Key]]:
    """Needs of equal content, put together as far as that is exact and pays; ``first``: one of them."""
    alike: dict[object, list[Key]] = {}
    sizes = {key[1] for key in wanted}
    apart = first.stock.competes and len(sizes) == 1 and not any(w.memories for w in wanted.values())
    for key, own in wanted.items():
        alike.setdefault(keys_of({}, own.latencies) if apart else None, []).append(key)
    return [group for keys in alike.values() for group in _groups_of_sizes(first, {k: wanted[k] for k in keys})]


def _groups_of_sizes(first: Need, wanted: Mapping[Key, _Wanted]) -> list[list[Key]]:
    """Needs put together as far as the ``min_usage`` rule allows."""
    by_sizes: dict[Hashable, list[Key]] = {}
    for key in wanted:
        by_sizes.setdefault(key[1], []).append(key)
    if len(by_sizes) == 1:
        return [list(wanted)]
    preferences = Preferences.of(first.templates, first.options, first.sizes)
    groups: list[list[tuple[tuple[int, ...], Sizes, list[Key]]]] = []
    largest_first = sorted(by_sizes.values(), key=lambda keys: list(wanted[keys[0]].sizes.values()), reverse=True)
    for keys in largest_first:
        sizes = wanted[keys[0]].sizes
        entry = (preferences.at(sizes), sizes, keys)
        for group in groups:
            both = [*group, entry]
            largest = preferences.at({m: max(s[m] for _, s, _ in both) for m in sizes})
            if all(prefers_alike(own, largest) for own, _, _ in both):
                group.append(entry)
                break
        else:
            groups.append([entry])
    return [[key for _, _, own in group for key in own] for group in groups]


def exploration_of(group: Sequence[Need]) -> Exploration:
    """The exploration that serves some needs of equal content."""
    wanted: dict[Key, _Wanted] = {}
    for need in group:
        wanted.setdefault(need.key, _Wanted(need.sizes, need.latencies)).add(need)
    return _exploration(group[0], list(wanted.values()))


def _exploration(first: Need, wanted: Sequence[_Wanted]) -> Exploration:
    """The exploration that serves all needs of a group: the largest sizes, the most loops, all objectives.

    How much rows take of a memory is an objective where its sizes differ, and a latency where latencies do.
    """
    enough = needs(first.einsum, first.choices)
    sizes, varied = {}, set()
    for memory in first.sizes:
        own = {w.sizes[memory] for w in wanted}
        sizes[memory] = max(own)
        if len(own) > 1:  # beyond what can ever be held, sizes are all the same; shares of infinity would say nothing
            varied.add(memory)
            sizes[memory] = min(max(own), max(enough[memory], min(own)))
    options = attrs.evolve(
        first.options, max_fused_loops=max(w.loops for w in wanted), metrics=_union(w.metrics for w in wanted)
    )
    forms = {name: _forms([w.latencies.get(name, {}) for w in wanted]) for name in first.latencies}
    different = {name for name in forms if len({tuple(w.latencies[name].items()) for w in wanted}) > 1}
    latencies = {name: forms[name] for name in forms if name in different}
    choices = resized(first.choices, sizes, latencies | _plain(wanted[0].latencies, different))
    einsum = attrs.evolve(first.einsum)  # a stock takes its own Einsum to have its own sizes
    templates = first.stock.templates.of(einsum, choices)
    whole = Problem((einsum,), attrs.evolve(options, combine_runs=True))  # lists all limited memories
    (shape,) = shapes_of(whole, [(first.stock.facts, sizes)])
    asked = varied.union(*(w.memories for w in wanted))
    apart = tuple((name, form) for name, own_forms in latencies.items() for form in own_forms)
    places = tuple((name, k) for name, own_forms in latencies.items() for k in range(len(own_forms)))
    shape = attrs.evolve(shape, memories=tuple(m for m in shape.memories if m in asked), apart=places)
    return Exploration(Stored(einsum, choices, templates, shape, options), sizes, apart)


def _union(metrics: Iterable[Metric]) -> Metric:
    result = _NONE
    for metric in metrics:
        result |= metric
    return result


def _plain(latencies: Latencies, different: Iterable[str]) -> dict[str, tuple[Mapping[str, float], ...]]:
    """The latencies that are the same for all needs."""
    return {name: (form,) if form else () for name, form in latencies.items() if name not in different}


def _forms(own: Sequence[Mapping[str, float]]) -> tuple[Mapping[str, float], ...]:
    """Latencies that those of all needs are multiples of: one where all are proportional, else one for each action."""
    most: dict[str, float] = {}
    for form in own:
        for action, seconds in form.items():
            most[action] = max(seconds, most.get(action, 0.0))
    most = {action: seconds for action, seconds in most.items() if seconds > 0}
    if not most:
        return ()
    for form in own:
        ratios = [form.get(action, 0.0) / seconds for action, seconds in most.items()]
        if max(ratios) - min(ratios) > _PROPORTIONAL * max(ratios):
            return tuple({action: seconds} for action, seconds in most.items())
    return (most,)

"""What the searches over unpruned pmappings have in common: drawing, judging, and the best mapping so far."""

from __future__ import annotations

import math
from collections.abc import Sequence
from random import Random

import attrs

from ffcore.plugin import JoinedMapping, NoValidMappingError
from ffcore_simanneal.budget import Meter, Sample
from ffcore_simanneal.joint import Joint, confirm
from ffcore_simanneal.mapspace import Mapspace
from ffcore_simanneal.parts import KeyTable, Part
from ffcore_simanneal.plan import Blocks
from ffcore_simanneal.repair import Wanted, assemble
from ffcore_simanneal.space import EinsumSpace
from ffcore_simanneal.tracker import Outcome

_STARTS = 50  # random mappings tried before one without any fused loop is put together
_PENALTY = 4.0  # by which ln(score) grows where a memory is e times too small


@attrs.frozen(eq=False)
class State:
    """A whole mapping. ``cost``: ln(score) plus a penalty for memories that are too small; what is minimised."""

    parts: list[Part]
    score: float
    cost: float
    fits: bool


@attrs.define(eq=False)
class Space:
    """The mapspace as a search sees it, and its random source, meter and best mapping."""

    mapspace: Mapspace
    meter: Meter
    seed: str
    joint: Joint = attrs.field(init=False)
    einsums: list[EinsumSpace] = attrs.field(init=False)
    source: Random = attrs.field(init=False)
    _better: list[State] = attrs.field(init=False, factory=list)  # each improvement

    def __attrs_post_init__(self) -> None:
        problem = self.mapspace.problem
        self.source = Random(self.seed)
        self.joint = Joint(problem)
        table = KeyTable()
        memories = limited_memories(self.mapspace)
        self.einsums = [
            EinsumSpace(e, templates, problem.options, memories, table)
            for e, templates in zip(problem.einsums, self.mapspace.templates, strict=True)
        ]
        for space in self.einsums:
            if not space.usable:
                name = space.einsum.name
                raise NoValidMappingError(f"Einsum {name} fits in no memory, however small its tiles", einsum=name)
        self._check_memories()

    # -- drawing ----------------------------------------------------------------------------------

    def draw(self, place: int, wanted: Wanted, near: Part | None) -> Part | None:
        """A pmapping of one Einsum with the wanted keys; what was looked at is charged."""
        return self.charged(place, wanted, near, None)

    def charged(self, place: int, wanted: Wanted, near: Part | None, template: int | None) -> Part | None:
        space = self.einsums[place]
        before = space.evaluated
        part = space.draw(self.source, wanted, near, template)
        # A draw that led to no pmapping took time too, and must not go on for ever.
        self.meter.charge(max(1, space.evaluated - before))
        return part

    def charged_part(self, place: int, like: Part, blocks: Blocks) -> Part | None:
        """The pmapping of the same plan as ``like`` with these loops; charged."""
        self.meter.charge(1)
        return self.einsums[place].part(like.source.plan, blocks)

    def random_state(self) -> State | None:
        """A mapping drawn from nothing: Einsums in random order, each to agree with those before it."""
        order = list(range(len(self.einsums)))
        self.source.shuffle(order)
        parts = assemble(self.joint, order, self.draw)
        return None if parts is None else self.judge(parts)

    def start(self) -> State | None:
        """A mapping to start from: a random one, or one without fused loops; None if the budget ends before.

        Raises ``NoValidMappingError`` if no mapping of compatible pmappings exists in which no loop is fused, and
        none was found otherwise.
        """
        for _ in range(_STARTS):
            state = self.random_state()
            if state is not None:
                return state
            if self.meter.done():
                return None
        parts = self._unfused()
        return None if parts is None else self.judge(parts)

    def _unfused(self) -> list[Part] | None:
        """All shared tensors above all loops, each in a memory that all its users can keep it in."""
        memories: list[str] = []
        for t in range(len(self.joint.users)):
            memories.append(self.source.choice(sorted(self._memories_of(t))))

        def draw(place: int, wanted: Wanted, near: Part | None) -> Part | None:
            keys = {}
            for position, t in enumerate(self.joint.tensors[place]):
                space = self.einsums[place]
                persistent = space.einsum.tensor[space.shared[position]].persistent
                keys[position] = space.table.key(memories[t], persistent, ())
            return self.draw(place, keys, near)

        return assemble(self.joint, range(len(self.einsums)), draw)

    def _memories_of(self, t: int) -> set[str]:
        """Memories that all users of a shared tensor can keep it in."""
        common: set[str] | None = None
        for place in self.joint.users[t]:
            space = self.einsums[place]
            position = self.joint.tensors[place].index(t)
            own = {space.templates[i].components[space.sites[i][position].index].name for i in space.usable}
            common = own if common is None else common & own
        return common or set()

    def _check_memories(self) -> None:
        for t, users in enumerate(self.joint.users):
            if not self._memories_of(t):
                names = " and ".join(self.einsums[place].einsum.name for place in users)
                raise NoValidMappingError(
                    f"there is no memory in which the Einsums {names} can all keep {self.joint.names[t]}, so that "
                    "nothing can be joined"
                )

    # -- judging ----------------------------------------------------------------------------------

    def judge(self, parts: list[Part], limit: float = math.inf) -> State | None:
        """The state of these parts; None if they do not match in order, or cost more than ``limit``.

        A state that fits and is better than all before it is noted.
        """
        score = self.joint.score(parts)
        cost = math.log(score) if score > 0 else -1e3
        if cost > limit or self.joint.out_of_order(self.joint.keys(parts)):
            return None
        excess = self.joint.excess(parts)
        state = State(parts, score, cost + _PENALTY * excess, excess == 0)
        if state.fits and self.meter.found(score):
            self._better.append(state)
        return state if state.cost <= limit else None

    @property
    def best(self) -> State | None:
        return self._better[-1] if self._better else None

    def outcome(self) -> Outcome:
        """The best mapping that the model confirms, and the improvements up to it."""
        samples: list[Sample] = list(self.meter.samples)
        best: JoinedMapping | None = None
        while self._better and best is None:
            parts = self._better[-1].parts
            best = confirm(self.mapspace.problem, [part.source.nest() for part in parts], parts)
            if best is None:
                self._better.pop()
                samples.pop()
        return Outcome(tuple(samples), self.meter.evaluations, self.meter.seconds, best)


def limited_memories(mapspace: Mapspace) -> tuple[str, ...]:
    """Memories of finite size, in order of first use."""
    found: dict[str, None] = {}
    for templates in mapspace.templates:
        for template in templates:
            for component in template.components:
                if component.holding is not None and component.size < math.inf:
                    found[component.name] = None
    return tuple(found)


def pick(source: Random, weights: Sequence[float]) -> int:
    """An index, each as likely as its weight says."""
    at = source.random() * sum(weights)
    for i, weight in enumerate(weights):
        at -= weight
        if at < 0:
            return i
    return len(weights) - 1

"""From a row back to the nest that it stands for."""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from ffcore.mapping.nest import Holder, Nest, NestNode, Spatial, Temporal
from ffcore.pmappings.loops import decode_loop, loop_sizes
from ffcore.pmappings.rows import SpatialChoice
from ffcore.pmappings.set import EinsumPmappings
from ffcore.templates import SpatialLoop, Template


@attrs.frozen
class _Step:
    """A loop about to be placed: temporal, or the given spatial loop."""

    variable: str
    trips: int
    spatial: SpatialLoop | None
    tile: int | None = None  # of a variable with imperfect factors; None: what trips leave over


def nest_of_row(pmappings: EinsumPmappings, row: int, loops: Sequence[int] | None = None) -> Nest:
    """The nest of one row, loops that run once left out.

    ``loops``: codes of the fused loops in another order that their blocks allow.
    """
    job = pmappings.jobs[int(pmappings.rows.job[row])]
    template, choice = job.template, job.choice
    states = pmappings.rows.states[row].tolist()[: len(template.blocks) + 1]
    iterations = [_iterations(template, state) for state in states]
    order = [decode_loop(code) for code in (pmappings.rows.loops[row].tolist() if loops is None else loops) if code]
    left = dict(template.einsum.bounds)
    nodes: list[NestNode] = []
    for block in range(-1, len(template.blocks)):
        if block >= 0:
            nodes.extend(_holders(template, block))
        steps = _steps(template, choice, block, iterations)
        if template.fuses and block < template.fused_cut:
            heads, order = order[: len(steps)], order[len(steps) :]
            steps = [_take(steps, template, head) for head in heads]
        nodes.extend(_place(template, block, steps, left))
    nodes.extend(_holders(template, len(template.blocks)))
    return Nest(template.einsum.name, template.components[-1].name, tuple(nodes))


def _iterations(template: Template, state: int) -> dict[str, int]:
    """Per rank variable, the iterations of the temporal loops below a cut (see ``Lattice``).

    Of one with imperfect factors, those of all loops.
    """
    result = {}
    for v in template.einsum.bounds:
        values = loop_sizes(template.einsum, v)
        state, coordinate = divmod(state, len(values))
        result[v] = values[coordinate]
    return result


def _holders(template: Template, cut: int) -> list[NestNode]:
    return [Holder(s.tensor, template.components[s.index].name) for s in template.sites if s.cut == cut]


def _steps(template: Template, choice: SpatialChoice, block: int, iterations: Sequence[dict[str, int]]) -> list[_Step]:
    imperfect = template.einsum.imperfect
    below = {v: iterations[block + 1][v] for v in imperfect}
    steps = []
    for loop, n in reversed(list(zip(choice.loops, choice.trips, strict=True))):
        if loop.block == block:
            steps.append(_Step(loop.variable, n, loop, below.get(loop.variable)))
            if loop.variable in imperfect:
                below[loop.variable] *= n
    if block >= 0:
        for v in reversed(template.blocks[block]):
            if v in imperfect:
                trips = -(-iterations[block][v] // below[v])
            else:
                trips = iterations[block][v] // iterations[block + 1][v]
            if trips > 1:
                steps.append(_Step(v, trips, None, below.get(v)))
    return steps[::-1]


def _take(steps: list[_Step], template: Template, head: tuple[int, bool, int, int]) -> _Step:
    """The step that a loop code's variable, kind and trips name, with its tile; removed from ``steps``."""
    axis, spatial, index, tile = head
    variable = list(template.einsum.bounds)[axis]
    sizes = loop_sizes(template.einsum, variable)
    trips = sizes[index]
    named = (variable, spatial, trips)
    found = next(s for s in steps if (s.variable, s.spatial is not None, s.trips) == named)
    steps.remove(found)
    return attrs.evolve(found, tile=sizes[tile]) if found.tile is not None else found


def _place(template: Template, block: int, steps: Sequence[_Step], left: dict[str, int]) -> list[NestNode]:
    nodes: list[NestNode] = []
    tolls = {t: _toll_block(template, t.tensor, t.index) for t in template.tolls}
    waiting = sorted((t for t, b in tolls.items() if b == block), key=lambda t: t.index)
    for step in steps:
        while waiting and step.spatial is not None and step.spatial.index > waiting[0].index:
            toll = waiting.pop(0)
            nodes.append(Holder(toll.tensor, template.components[toll.index].name))
        left[step.variable] = left[step.variable] // step.trips if step.tile is None else step.tile
        if step.spatial is None:
            nodes.append(Temporal(step.variable, left[step.variable]))
        else:
            component = template.components[step.spatial.index]
            dimension = component.spatial[step.spatial.dimension].name
            nodes.append(Spatial(step.variable, left[step.variable], component.name, dimension))
    nodes.extend(Holder(t.tensor, template.components[t.index].name) for t in waiting)
    return nodes


def _toll_block(template: Template, tensor: str, index: int) -> int:
    """The block at whose end a Toll stands: below its tensor's outer holder's loops and its own fanout."""
    parent = max((s for s in template.sites if s.tensor == tensor and s.index < index), key=lambda s: s.cut)
    following = min((s.cut for s in template.sites if s.cut > parent.cut), default=len(template.blocks))
    own = max((s.block for s in template.spatial if s.index == index), default=-1)
    return max(following - 1, own)

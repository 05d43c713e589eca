"""Row shapes: which columns the rows of each Einsum have, so that they can be joined."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import attrs

from ffcore.explore.reuse.equal import EinsumClasses
from ffcore.pmappings.rows import RowShape
from ffcore.spec.problem import INFINITY, MapperOptions, Problem
from ffcore.templates import Template


def row_shapes(problem: Problem, kinds: EinsumClasses) -> list[RowShape]:
    """Row sizes per Einsum: depth, cuts and tracked memories are common to the problem."""
    facts = [TemplateFacts.of(templates) for templates in kinds.templates]
    return shapes_of(problem, [(facts[member.kind], {}) for member in kinds.members])


def shapes_of(problem: Problem, members: Sequence[tuple[TemplateFacts, Mapping[str, float]]]) -> list[RowShape]:
    """`row_shapes`, given what is to be known of each Einsum's templates, and other sizes (bits) of its memories."""
    memories = tracked_memories(members, problem.options.all_usages)
    different = list({id(facts): facts for facts, _ in members}.values())
    depth = max((facts.depth(problem.options) for facts in different), default=0)
    cuts = max((facts.cuts for facts in different), default=1)
    return [
        RowShape(tuple(t.name for t in e.tensors if t.name in e.shared), memories, depth, cuts) for e in problem.einsums
    ]


def _fused(template: Template) -> tuple[int, ...]:
    """Per rank variable, the loops that can be fused."""
    last = template.fused_cut
    loops = dict.fromkeys(template.einsum.bounds, 0)
    for block in template.blocks[:last]:
        for v in block:
            loops[v] += 1
    if template.fuses:
        for s in template.spatial:
            if s.block < last:
                loops[s.variable] += 1
    return tuple(loops.values())


def tracked_memories(
    members: Sequence[tuple[TemplateFacts, Mapping[str, float]]], all_limited: bool = False
) -> tuple[str, ...]:
    """Limited memories in which a reservation can outlive the Einsum's innermost fused loop.

    In all others an Einsum's own reservations are all there is while it runs, and each pmapping was
    checked for that. A memory that fits all that the workload could ever hold needs no tracking.
    With ``all_limited`` each limited memory that is used is tracked: templates of another run may be added, or usage
    is an objective.
    ``members``: each Einsum's facts and the sizes of memories that are others than in its templates.
    """
    size: dict[str, float] = {}
    most: dict[str, float] = {}
    outlived: dict[str, None] = {}
    for facts, others in members:
        own = {name: others.get(name, bits) for name, bits in facts.sizes.items()}
        limited = {name: bits for name, bits in own.items() if bits != INFINITY}
        for name, bits in limited.items():
            size[name] = min(bits, size.get(name, bits))
            most[name] = most.get(name, 0.0) + facts.most[name]
        outlived |= {name: None for name in (limited if all_limited else facts.outlived) if name in limited}
    return tuple(name for name in outlived if all_limited or most[name] > size[name])


@attrs.frozen(eq=False)
class TemplateFacts:
    """What row shapes depend on of the templates of one Einsum; the same for whatever sizes its memories have."""

    sizes: Mapping[str, float]  # bits of the memories that hold something, the least
    most: Mapping[str, float]  # bits of all tensors that any template holds there, whole
    outlived: tuple[str, ...]  # those in which a reservation can outlive the innermost fused loop
    fused: frozenset[tuple[int, ...]]  # per template and rank variable, loops that can be fused
    cuts: int

    @classmethod
    def of(cls, templates: Sequence[Template]) -> TemplateFacts:
        """Look at all templates of one Einsum."""
        size: dict[str, float] = {}
        held: dict[str, dict[str, float]] = {}
        seen: set[tuple[int, str, bool, bool]] = set()  # holders, which many templates have in common
        outlived: dict[str, None] = {}
        limited = {c.name for t in templates for c in t.components if c.size != INFINITY}
        for template in templates:
            einsum, fused_cut = template.einsum, template.fused_cut
            for site in template.sites:
                component = template.components[site.index]
                if component.size == INFINITY and component.name in limited:
                    continue
                holder = id(component), site.tensor, site.backing, site.persistent
                if holder not in seen:
                    seen.add(holder)
                    size[component.name] = min(component.size, size.get(component.name, component.size))
                    tensor = einsum.kept(site.tensor, site.backing)
                    bits = einsum.bits(tensor, component, tensor.tile_values(einsum.bounds), site.persistent)
                    tensors = held.setdefault(component.name, {})
                    tensors[site.tensor] = max(bits, tensors.get(site.tensor, 0.0))
                shared = site.backing and site.tensor in einsum.shared
                if shared or site.persistent or site.reservation < fused_cut:
                    outlived[component.name] = None
        most = {name: sum(tensors.values()) for name, tensors in held.items()}
        cuts = max((len(t.blocks) + 1 for t in templates), default=1)
        return cls(size, most, tuple(outlived), frozenset(map(_fused, templates)), cuts)

    def depth(self, options: MapperOptions) -> int:
        """The most loops that a template fuses."""
        each = options.max_fused_loops_per_rank_variable
        most = max((sum(int(min(n, each)) for n in loops) for loops in self.fused), default=0)
        return int(min(most, options.max_fused_loops))

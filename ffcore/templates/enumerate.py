"""All templates of an Einsum, equal ones once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator

from ffcore.spec.problem import EinsumProblem, MapperOptions
from ffcore.templates.holders import MAX_STEPS, HolderChoice, Steps, holder_choices, holder_orders
from ffcore.templates.loops import Known, templates_of_order
from ffcore.templates.types import Template


def einsum_choices(einsum: EinsumProblem, pulse: Callable[[], None] | None = None) -> tuple[HolderChoice, ...]:
    """Every choice of holders of ``einsum``, path after path; ``pulse`` is called between two steps."""
    return tuple(choice for path in einsum.paths for choice in holder_choices(einsum, path, pulse))


def einsum_templates(
    einsum: EinsumProblem,
    options: MapperOptions,
    choices: Iterable[HolderChoice] | None = None,
    pulse: Callable[[], None] | None = None,
) -> tuple[Template, ...]:
    """Every template of ``einsum`` on each of its paths; ``choices``: its `einsum_choices`, if they are there already.

    Raises LimitError where there are too many choices or orders, and what ``pulse`` raises, which is called between two
    steps.

    Two orders of neighbouring holders between which no loop can stand are the same template
    (before: ``[GLB A][GLB B] loops``, ``[GLB B][GLB A] loops``; after: the first of them).
    """
    seen: set[Hashable] = set()
    found: list[Template] = []
    steps = Steps(einsum, pulse)
    for template in _all(einsum, options, einsum_choices(einsum, pulse) if choices is None else choices, steps):
        key = _key(template)
        if key not in seen:
            seen.add(key)
            found.append(template)
        if len(found) >= int(min(options.max_pmapping_templates_per_einsum, MAX_STEPS)):
            break
    return tuple(found)


def _all(
    einsum: EinsumProblem, options: MapperOptions, choices: Iterable[HolderChoice], steps: Steps
) -> Iterator[Template]:
    known = Known()
    for choice in choices:
        for order in holder_orders(einsum, choice, options.force_memory_hierarchy_order, steps):
            for template in templates_of_order(einsum, order, known):
                steps.take()
                yield template


def _key(template: Template) -> Hashable:
    """What makes a template: cuts between which no loop can stand count as one."""
    rank = [0]
    across = {s.block for s in template.spatial}
    for block, variables in enumerate(template.blocks):
        rank.append(rank[-1] + (1 if variables or block in across else 0))
    sites = frozenset((s.tensor, s.index, rank[s.cut], rank[s.reservation], s.backing) for s in template.sites)
    blocks = tuple(frozenset(b) for b in template.blocks if b)
    spatial = frozenset((s.variable, s.index, s.dimension, rank[s.block + 1]) for s in template.spatial)
    tolls = frozenset((t.tensor, t.index) for t in template.tolls)
    positions = tuple(rank[i] for i, b in enumerate(template.blocks) if b)
    return (tuple(c.name for c in template.components), sites, blocks, positions, spatial, tolls)

"""The default explorer: all Pareto-optimal pmappings of every Einsum."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from pathlib import Path

import attrs

from ffcore.errors import FFError
from ffcore.explore.equal import Kinds
from ffcore.explore.options import not_offered
from ffcore.explore.rows import RowShape
from ffcore.explore.solve import explore_einsum
from ffcore.explore.spatial import SpatialChoice
from ffcore.explore.types import EinsumPmappings, Job
from ffcore.spec.problem import EinsumProblem, MapperOptions, Problem
from ffcore.templates import Template


def explore(
    problem: Problem,
    *,
    executor: Executor | None = None,
    progress: Callable[[str], None] | None = None,
    cache_dir: Path | None = None,
    einsum_names: Sequence[str] | None = None,
) -> tuple[EinsumPmappings, ...]:
    """Pareto-optimal pmappings of each Einsum, per compatibility, in workload order.

    Raises ``FFError`` for options that only another explorer offers.
    """
    _check_options(problem.options)
    kinds = Kinds.of(problem)
    shapes = row_shapes(problem, kinds)
    wanted = [i for i, e in enumerate(problem.einsums) if einsum_names is None or e.name in einsum_names]
    templates = {i: kinds.templates_of(kinds.members[i]) for i in wanted}
    first: dict[int, int] = {}  # equal Einsums are explored once
    same = {i: first.setdefault(kinds.members[i].kind, i) for i in wanted}
    tasks = [(problem.einsums[i], templates[i], shapes[i], problem.options) for i in first.values()]
    run: Iterable[EinsumPmappings] = map(_task, tasks) if executor is None else executor.map(_task, tasks)
    solved = {}
    for i, result in zip(first.values(), run, strict=True):
        if progress is not None:
            evaluated, rows = result.stats.evaluated, len(result.rows)
            progress(f"{result.einsum.name}: {evaluated} evaluated, {rows} Pareto-optimal")
        solved[i] = result
    return tuple(
        solved[i] if same[i] == i else _renamed(solved[same[i]], problem.einsums[i], templates[i], shapes[i])
        for i in wanted
    )


def _check_options(options: MapperOptions) -> None:
    """Refuse what would otherwise be ignored."""
    refused = not_offered(options)
    if refused:
        raise FFError(
            f"the explorer 'default' does not offer mapper.ffm.{', '.join(refused)}: leave it at its default "
            "(imperfect loops: mapper.explorer and mapper.joiner 'exhaustive', for small problems)"
        )


def _task(task: tuple[EinsumProblem, Sequence[Template], RowShape, MapperOptions]) -> EinsumPmappings:
    return explore_einsum(*task)


def _renamed(
    solved: EinsumPmappings, einsum: EinsumProblem, templates: Sequence[Template], shape: RowShape
) -> EinsumPmappings:
    """The pmappings of an equal Einsum: the same rows, jobs in its own names; nothing was evaluated."""
    numbers = {id(t): i for i, t in enumerate(solved.templates)}
    jobs = []
    for job in solved.jobs:
        own = templates[numbers[id(job.template)]]
        loops = tuple(own.spatial[job.template.spatial.index(loop)] for loop in job.choice.loops)
        jobs.append(Job(own, SpatialChoice(loops, job.choice.trips)))
    stats = attrs.evolve(solved.stats, evaluated=0)
    return EinsumPmappings(einsum, tuple(templates), tuple(jobs), shape, solved.rows, solved.offsets, stats)


def row_shapes(problem: Problem, kinds: Kinds) -> list[RowShape]:
    """Row sizes per Einsum: depth, cuts and tracked memories are common to the problem."""
    memories = tracked_memories(kinds, problem.options.combine_runs)
    flat = [t for templates in kinds.templates for t in templates]
    depth = max((_depth(t, problem.options) for t in flat), default=0)
    cuts = max((len(t.blocks) + 1 for t in flat), default=1)
    return [
        RowShape(tuple(t.name for t in e.tensors if t.name in e.shared), memories, depth, cuts) for e in problem.einsums
    ]


def _depth(template: Template, options: MapperOptions) -> int:
    last = template.fused_cut
    depth = 0
    for v in template.einsum.bounds:
        loops = sum(v in block for block in template.blocks[:last])
        loops += sum(template.fuses and s.variable == v and s.block < last for s in template.spatial)
        depth += int(min(loops, options.max_fused_loops_per_rank_variable))
    return int(min(depth, options.max_fused_loops))


def tracked_memories(kinds: Kinds, all_limited: bool = False) -> tuple[str, ...]:
    """Limited memories in which a reservation can outlive the Einsum's innermost fused loop.

    In all others an Einsum's own reservations are all there is while it runs, and each pmapping was
    checked for that. A memory that fits all that the workload could ever hold needs no tracking.
    With ``all_limited`` each limited memory that is used is tracked: templates of another run may be added.
    """
    uses = [_LimitedMemories.of(templates) for templates in kinds.templates]
    size: dict[str, float] = {}
    for use in uses:
        for name, bits in use.size.items():
            size[name] = min(bits, size.get(name, bits))
    most = dict.fromkeys(size, 0.0)
    for member in kinds.members:
        for name, bits in uses[member.kind].most.items():
            most[name] += bits
    outlived = {name: None for use in uses for name in (use.size if all_limited else use.outlived)}
    return tuple(name for name in outlived if all_limited or most[name] > size[name])


@attrs.frozen
class _LimitedMemories:
    """What the templates of one Einsum put into the memories that have a size."""

    size: dict[str, float]  # bits, the least
    most: dict[str, float]  # bits of all tensors that any template holds there, whole
    outlived: dict[str, None]  # those in which a reservation can outlive the innermost fused loop

    @classmethod
    def of(cls, templates: Sequence[Template]) -> _LimitedMemories:
        size: dict[str, float] = {}
        held: dict[str, dict[str, float]] = {}
        outlived: dict[str, None] = {}
        for template in templates:
            einsum, fused_cut = template.einsum, template.fused_cut
            for site in template.sites:
                component = template.components[site.index]
                if component.size == float("inf"):
                    continue
                size[component.name] = min(component.size, size.get(component.name, component.size))
                tensor = einsum.tensor[site.tensor]
                bits = tensor.tile_values(einsum.bounds) * component.width(tensor)
                bits *= einsum.n_instances if site.persistent else 1
                tensors = held.setdefault(component.name, {})
                tensors[site.tensor] = max(bits, tensors.get(site.tensor, 0.0))
                shared = site.backing and site.tensor in einsum.shared
                if shared or site.persistent or site.reservation < fused_cut:
                    outlived[component.name] = None
        return cls(size, {name: sum(tensors.values()) for name, tensors in held.items()}, outlived)

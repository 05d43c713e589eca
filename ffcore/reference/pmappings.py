"""All pmappings of each Einsum: every template with every valid choice of tile sizes."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from ffcore.errors import FFError
from ffcore.mapping.nest import Nest
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.types import NestEvaluation
from ffcore.reference.templates import Template, templates
from ffcore.reference.tiles import (
    TOLERANCE,
    count_tile_choices,
    min_usage_filter,
    satisfies_limits,
    spatial_usage,
    tile_choices,
    trip_counts,
)
from ffcore.spec.problem import EinsumProblem, Problem


@attrs.frozen
class Pmapping:
    """One Einsum's mapping and what the model says of it."""

    einsum: str
    nest: Nest
    evaluation: NestEvaluation


@attrs.frozen
class PmappingCounts:
    """Sizes of one Einsum's mapspace.

    ``templates``; ``total``: tile choices over all templates, before any limit; ``valid``: those
    that keep all limits and fit all memories alone; ``kept``: those that ``min_usage`` leaves.
    """

    templates: int
    total: int
    valid: int
    kept: int


def exhaustive_pmappings(problem: Problem) -> dict[str, list[Pmapping]]:
    """Every valid pmapping of every Einsum, in workload order; nothing is pruned but the invalid.

    Raises:
        NoValidMappingError: some Einsum has a tensor that no memory may hold.
        FFError: an option that changes the mapspace is set to what the reference does not cover.
    """
    return {e.name: [p for group in _by_template(problem, e) for p in group] for e in problem.einsums}


def count_pmappings(problem: Problem) -> dict[str, PmappingCounts]:
    """Sizes of each Einsum's mapspace; takes as long as `exhaustive_pmappings`."""
    refuse_unsupported(problem)
    counts, fixed = {}, perfect_only(problem)
    for einsum in problem.einsums:
        all_templates = templates(einsum, problem.options)
        total = sum(count_tile_choices(t, problem.options, fixed) for t in all_templates)
        valid = [_valid(problem, t) for t in all_templates]
        kept = sum(len(_kept(t, v)) for t, v in zip(all_templates, valid, strict=True))
        counts[einsum.name] = PmappingCounts(len(all_templates), total, sum(map(len, valid)), kept)
    return counts


def _by_template(problem: Problem, einsum: EinsumProblem) -> Iterator[list[Pmapping]]:
    refuse_unsupported(problem)
    for template in templates(einsum, problem.options):
        yield [pmapping for _, pmapping in _kept(template, _valid(problem, template))]


def _valid(problem: Problem, template: Template) -> list[tuple[list[int], Pmapping]]:
    """The tile choices of a template that keep all limits and fit all memories, evaluated."""
    result = []
    for tiles in tile_choices(template, problem.options, perfect_only(problem)):
        if satisfies_limits(template, problem.options, tiles):
            nest = template.nest(tiles)
            evaluation = evaluate_nest(template.einsum, nest)
            if fits(evaluation):
                result.append((tiles, Pmapping(template.einsum.name, nest, evaluation)))
    return result


def _kept(template: Template, valid: list[tuple[list[int], Pmapping]]) -> list[tuple[list[int], Pmapping]]:
    usages = [spatial_usage(template, trip_counts(template, tiles)) for tiles, _ in valid]
    return [v for v, keep in zip(valid, min_usage_filter(template, usages), strict=True) if keep]


def fits(evaluation: NestEvaluation) -> bool:
    """Do the Einsum's own reservations fit in each memory?"""
    shares: dict[str, float] = {}
    for reservation in evaluation.reservations:
        shares[reservation.component] = shares.get(reservation.component, 0.0) + reservation.share
    return all(share <= 1 + TOLERANCE for share in shares.values())


def perfect_only(problem: Problem) -> frozenset[str]:
    """Rank variables that appear inside some expression (``p + r``, ``2 * p``, ``p + 1``): their
    tiles stay perfect factors."""
    return frozenset(
        variable
        for einsum in problem.einsums
        for tensor in einsum.tensors
        for rank in tensor.ranks
        if len(rank.terms) > 1 or rank.constant or any(c != 1 for _, c in rank.terms)
        for variable, _ in rank.terms
    )


def refuse_unsupported(problem: Problem) -> None:
    """The reference explores everything: say so rather than ignore options that ask for less.

    Limits of time and memory and the tolerances do not apply: an exact answer keeps them all.
    """
    options = problem.options
    if options.tiling_coarseness != 1:
        raise FFError("the exhaustive mapper explores every tile size: set tiling_coarseness to 1")
    if options.max_pmapping_templates_per_einsum != float("inf"):
        raise FFError("the exhaustive mapper explores every template: leave max_pmapping_templates_per_einsum out")
    if options.prioritize_reuse_of_unfused_tensors:
        raise FFError("the exhaustive mapper does not know prioritize_reuse_of_unfused_tensors")

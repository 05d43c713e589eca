"""All pmappings of each Einsum: every template with every valid choice of tile sizes."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import attrs

from ffcore.plugin import EinsumProblem, FFError, MappingError, Nest, NestEvaluation, Problem, evaluate_nest
from ffcore_exhaustive.templates import Template, templates
from ffcore_exhaustive.tiles import (
    TOLERANCE,
    count_tile_choices,
    min_usage_filter,
    satisfies_limits,
    satisfies_spatial_limits,
    spatial_usage,
    tile_choices,
    trip_counts,
    uses_min_usage,
)


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


def exhaustive_pmappings(problem: Problem, names: Collection[str] | None = None) -> dict[str, list[Pmapping]]:
    """Every valid pmapping of every Einsum (or those of ``names``), in workload order; only the invalid are left out.

    Raises:
        NoValidMappingError: some Einsum has a tensor that no memory may hold.
        FFError: an option that changes the mapspace is set to what the reference does not cover.
    """
    wanted = [e for e in problem.einsums if names is None or e.name in names]
    return {e.name: [p for group in _by_template(problem, e) for p in group] for e in wanted}


def count_pmappings(problem: Problem) -> dict[str, PmappingCounts]:
    """Sizes of each Einsum's mapspace; takes as long as `exhaustive_pmappings`."""
    refuse_unsupported(problem)
    counts, fixed = {}, perfect_only(problem)
    for einsum in problem.einsums:
        all_templates = templates(einsum, problem.options)
        total = sum(count_tile_choices(t, problem.options, fixed) for t in all_templates)
        valid = [_valid(problem, t) for t in all_templates]
        kept = sum(choice.kept for choices in valid for choice in choices)
        counts[einsum.name] = PmappingCounts(len(all_templates), total, sum(map(len, valid)), kept)
    return counts


def _by_template(problem: Problem, einsum: EinsumProblem) -> Iterator[list[Pmapping]]:
    refuse_unsupported(problem)
    for template in templates(einsum, problem.options):
        yield [choice.pmapping for choice in _valid(problem, template) if choice.kept]


@attrs.frozen
class _Choice:
    """A valid tile choice of a template; ``kept``: ``min_usage`` leaves it."""

    pmapping: Pmapping
    kept: bool


def _valid(problem: Problem, template: Template) -> list[_Choice]:
    """The tile choices of a template that keep all limits and fit all memories, evaluated.

    Decision: ``min_usage`` compares the choices that keep the limits of the spatial dimensions and
    fit all memories; limits on fused loops and ``tile_shape`` are applied to what it leaves, even if
    nothing remains.
    """
    options = problem.options
    compared = uses_min_usage(template)
    fitting: list[tuple[Pmapping, bool, dict[tuple[str, str], float]]] = []
    for tiles in tile_choices(template, options, perfect_only(problem)):
        if not satisfies_spatial_limits(template, options, tiles):
            continue
        limited = satisfies_limits(template, options, tiles)
        if not (limited or compared):
            continue
        nest = template.nest(tiles)
        try:
            evaluation = evaluate_nest(template.einsum, nest)
        except MappingError:
            if not any(c.spread for c in template.components):
                raise
            continue  # a memory that is spread over an Array would be divided unevenly
        if fits(evaluation):
            usage = spatial_usage(template, trip_counts(template, tiles))
            fitting.append((Pmapping(template.einsum.name, nest, evaluation), limited, usage))
    kept = min_usage_filter(template, [usage for _, _, usage in fitting])
    return [_Choice(pmapping, keep) for (pmapping, limited, _), keep in zip(fitting, kept, strict=True) if limited]


def fits(evaluation: NestEvaluation) -> bool:
    """Do the Einsum's own reservations fit in each memory?"""
    shares: dict[str, float] = {}
    for reservation in evaluation.reservations:
        shares[reservation.component] = shares.get(reservation.component, 0.0) + reservation.share
    return all(share <= 1 + TOLERANCE for share in shares.values())


def perfect_only(problem: Problem) -> frozenset[str]:
    """Rank variables inside an expression with another one (``p + r``, ``4 * h + f``): their tiles stay perfect
    factors."""
    return frozenset(
        variable
        for einsum in problem.einsums
        for tensor in einsum.tensors
        for rank in tensor.ranks
        if len(rank.terms) > 1 or rank.flat
        for variable, _ in rank.terms
    )


def refuse_unsupported(problem: Problem) -> None:
    """The reference explores everything: say so rather than ignore options that ask for less.

    Limits of time and memory and the tolerances do not apply: an exact answer keeps them all.
    """
    options = problem.options
    if options.max_pmapping_templates_per_einsum != float("inf"):
        raise FFError("the exhaustive mapper explores every template: leave max_pmapping_templates_per_einsum out")

"""The unpruned mapspace: templates of every Einsum, and the explorer that stops there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import attrs

from ffcore.plugin import FFError, MapperOptions, PmappingSet, Problem, Template, einsum_templates, not_offered, phase


@attrs.frozen(eq=False)
class Mapspace:
    """Per Einsum of a problem, in order, its templates; tile sizes are still open."""

    problem: Problem
    templates: tuple[tuple[Template, ...], ...]
    without: tuple[str, ...] = ()  # Einsums that have none


class TemplateExplorer:
    """Explorer ``templates``: makes templates and searches nothing."""

    def explore(
        self,
        problem: Problem,
        *,
        executor: Executor | None = None,
        progress: Callable[[str], None] | None = None,
        cache_dir: Path | None = None,
        einsum_names: Sequence[str] | None = None,
    ) -> Mapspace:
        """The templates of all Einsums, those that have none named."""
        if cache_dir is not None:
            raise FFError("the explorer 'templates' keeps no cache; leave the cache folder out")
        if einsum_names is not None and set(einsum_names) != {e.name for e in problem.einsums}:
            raise FFError("the explorer 'templates' explores all Einsums; leave einsum_names out")
        check_options(problem.options)
        with phase("templates"):
            templates = tuple(einsum_templates(e, problem.options) for e in problem.einsums)
        for einsum, own in zip(problem.einsums, templates, strict=True):
            if progress is not None:
                progress(f"{einsum.name}: {len(own)} templates")
        without = (e.name for e, own in zip(problem.einsums, templates, strict=True) if not own)
        return _mapspace(problem, templates, tuple(without))


def mapspace_of(problem: Problem, pmappings: Any, joiner: str) -> Mapspace:
    """The mapspace that pmappings were found in.

    Raises ``FFError`` for those of an explorer without templates, and for filtered ones: the filter would be ignored.
    """
    check_options(problem.options)
    if isinstance(pmappings, Mapspace):
        return attrs.evolve(pmappings, problem=problem)
    if isinstance(pmappings, PmappingSet):
        if pmappings.filtered:
            raise FFError(
                f"the joiner {joiner!r} draws pmappings of its own, to which no filter applies; 'simanneal2' and 'ffm' "
                "take filtered pmappings"
            )
        return _mapspace(problem, tuple(e.templates for e in pmappings.einsums))
    raise FFError(
        f"the baselines cannot read pmappings of the type {type(pmappings).__name__}; "
        "use the explorer 'templates' or 'default'"
    )


def _mapspace(problem: Problem, templates: tuple[tuple[Template, ...], ...], without: tuple[str, ...] = ()) -> Mapspace:
    """Raises ``FFError`` for what the baselines cannot cost."""
    spread = {c.name for own in templates for t in own for c in t.components if c.spread}
    if spread:
        raise FFError(
            f"the baselines do not offer memories that are spread over an !Array ({', '.join(sorted(spread))}): "
            "search small problems with --explorer exhaustive --joiner exhaustive"
        )
    return Mapspace(problem, templates, without)


def check_options(options: MapperOptions) -> None:
    """Raise ``FFError`` for options that would be ignored."""
    refused = not_offered(options)
    if refused:
        raise FFError(f"the baselines do not offer mapper.ffm.{', '.join(refused)}: leave it at its default")

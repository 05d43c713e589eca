"""The exhaustive mapper as an explorer and a joiner, to be picked by name like any other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import TYPE_CHECKING

import attrs

from ffcore.plugin import FFError, MapperOptions, Problem, evaluate_nest
from ffcore_exhaustive.join import Judge, exhaustive_join
from ffcore_exhaustive.pmappings import Pmapping, exhaustive_pmappings

if TYPE_CHECKING:
    from ffcore.plugin import EinsumPmappings, JoinedMapping, Model, Nest, PmappingSet, Progress


@attrs.frozen(eq=False)
class ExhaustivePmappings:
    """Every valid pmapping of each Einsum, with nothing pruned; only the joiner ``exhaustive`` reads these."""

    problem: Problem
    pmappings: Mapping[str, Sequence[Pmapping]]

    @property
    def without(self) -> tuple[str, ...]:
        """Einsums that have none."""
        return tuple(name for name, found in self.pmappings.items() if not found)


class ExhaustiveExplorer:
    """Explorer ``exhaustive``: enumerates the mapspace in the calling thread and caches nothing."""

    def explore(
        self,
        problem: Problem,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
        cache_dir: Path | None = None,
        einsum_names: Sequence[str] | None = None,
    ) -> ExhaustivePmappings:
        """All valid pmappings; of an Einsum that has none, none."""
        if cache_dir is not None:
            raise FFError("the explorer 'exhaustive' keeps no cache; leave the cache folder out")
        names = [e.name for e in problem.einsums] if einsum_names is None else list(einsum_names)
        found: dict[str, Sequence[Pmapping]] = {}
        for name in names:
            found |= exhaustive_pmappings(problem, [name])
            if progress is not None:
                progress(f"{name}: {len(found[name])} valid pmappings")
        return ExhaustivePmappings(problem, found)


class ExhaustiveJoiner:
    """Joiner ``exhaustive``: every combination, in the calling thread; drops only what is safely dominated."""

    def guarantee(self, options: MapperOptions) -> float:
        """1: exact, whatever tolerances would allow."""
        return 1.0

    def join(
        self,
        problem: Problem,
        pmappings: PmappingSet | ExhaustivePmappings,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
        model: Model | None = None,
    ) -> list[JoinedMapping]:
        """The Pareto set over all joins; empty where nothing matches and fits.

        ``model``: what says what a whole mapping costs, if not the law of the problem; nothing is dropped then.
        """
        from ffcore.plugin import JoinedMapping

        if isinstance(pmappings, ExhaustivePmappings):
            choices = pmappings.pmappings
        else:
            choices = {e.einsum.name: _evaluated(e) for e in pmappings.einsums}
        if progress is not None:
            progress(f"joining {sum(map(len, choices.values()))} pmappings exhaustively")
        solutions = exhaustive_join(problem, choices, model is None, None if model is None else _judge(problem, model))
        names = [e.name for e in problem.einsums]
        return [JoinedMapping(s.energy, s.latency, tuple(s.nests[name] for name in names)) for s in solutions]


def _judge(problem: Problem, model: Model) -> Judge:
    def judge(nests: Mapping[str, Nest]) -> tuple[float, float]:
        found = model.evaluate(problem, [nests[e.name] for e in problem.einsums])
        return found.total_energy, found.total_latency

    return judge


def _evaluated(pmappings: EinsumPmappings) -> list[Pmapping]:
    """An explorer's rows as nests that the model evaluates anew; orders of one block count once."""
    from ffcore.plugin import nest_of_row

    einsum = pmappings.einsum
    nests = dict.fromkeys(nest_of_row(pmappings, row) for row in range(len(pmappings.rows)))
    return [Pmapping(einsum.name, nest, evaluate_nest(einsum, nest)) for nest in nests]

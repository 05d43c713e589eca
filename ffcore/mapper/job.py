"""A job: a spec with the parts that it names, each looked up once."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np

from ffcore import plugin
from ffcore.diagnose.traps import traps
from ffcore.errors import FFError, NoValidMappingError, SpecError, SpecWarning, suggest
from ffcore.mapper.choice import DEFAULT_EXPLORER, as_searched, check_imperfect, explorer_of, joiner_name, joiner_of
from ffcore.mapper.nothing import check_explored, is_exact, nothing_joined
from ffcore.mapping.paths import settled
from ffcore.model.law import key_of
from ffcore.objectives import COMPARED, COSTS, Objectives, check_metrics
from ffcore.phases import phase
from ffcore.plugin import ExplorerRecord, JoinerRecord
from ffcore.pmappings.arrays import Floats
from ffcore.pmappings.guarantee import Guarantee, guarantee_of
from ffcore.pmappings.select import select
from ffcore.pmappings.set import JoinedMapping, PmappingSet
from ffcore.results.mappings import MappingEntry, Mappings
from ffcore.results.pmappings import Pmappings
from ffcore.spec.problem import Problem

if TYPE_CHECKING:
    from ffcore.mapping.nest import Nest
    from ffcore.model.types import JointEvaluation
    from ffcore.plugin import Explorer, Joiner, Model, Progress
    from ffcore.spec import Spec

DEFAULT_MODEL = "default"


def problem_of(
    spec: Spec, *, explorer: str | None = None, joiner: str | None = None, allow_hopeless: bool = False
) -> Problem:
    """The spec in plain numbers, priced by the cost model and by the law of the model that it names.

    ``explorer`` and ``joiner`` are those that search (None: the spec's): see `as_searched`. Raises SpecError, for
    imperfect factors that they do not offer too, and PluginError.
    """
    problem = as_searched(spec, explorer, joiner).problem(allow_hopeless=allow_hopeless)
    check_imperfect(problem, spec, explorer, joiner)
    law = plugin.current_manager().law(spec.mapper.model)
    if law is None:
        return problem
    einsums = tuple(attrs.evolve(einsum, law=law) for einsum in problem.einsums)
    return attrs.evolve(problem, einsums=einsums, spec_hash="|".join([problem.spec_hash, *(key_of(law) or ())]))


@attrs.frozen(eq=False)
class Job:
    """What is to be mapped, and by what: a spec, and the explorer, joiner and model that it names.

    The spec is looked at and never changed. Parts are made when they are first used, so that pmappings can be made
    where the joiner is not installed; the problem likewise.
    """

    spec: Spec
    explorer_name: str
    joiner_name: str
    options: Mapping[str, Any]  # of the joiner, beside the spec's own

    @classmethod
    def of(
        cls,
        spec: Spec,
        *,
        explorer: str | None = None,
        joiner: str | None = None,
        options: Mapping[str, Any] | None = None,
    ) -> Job:
        """The job of a spec, perhaps with another joiner (and what explores for it), options for it, or explorer."""
        return cls(spec, explorer or explorer_of(spec, joiner), joiner or joiner_name(spec), dict(options or {}))

    @cached_property
    def problem(self) -> Problem:
        """The spec in plain numbers. Raises SpecError and PluginError."""
        with phase("spec"):
            return problem_of(self.spec, explorer=self.explorer_name, joiner=self.joiner_name)

    @cached_property
    def explorer(self) -> Explorer:
        """The part that explores. Raises PluginError where it is not installed."""
        return plugin.get("explorer", self.explorer_name)

    @cached_property
    def joiner(self) -> Joiner:
        """The part that joins. Raises PluginError where it is not installed, SpecError for options it doesn't have."""
        found: Joiner = joiner_of(self.spec, self.joiner_name, self.options)
        return found

    @cached_property
    def model(self) -> Model:
        """The part that evaluates. Raises PluginError where it is not installed."""
        return plugin.get("model", self.spec.mapper.model)

    @property
    def exact(self) -> bool:
        """Does the joiner return nothing only where nothing goes together?"""
        return is_exact(self.joiner_name)

    def check(self) -> Job:
        """Look up what joins and what evaluates: a misspelt name should not cost a search."""
        with phase("imports"):
            self.joiner  # noqa: B018
            self.model  # noqa: B018
        return self

    def check_metrics(self) -> None:
        """Raise FFError for metrics that the joiner cannot optimise, before anything is explored.

        Other explorers have joiners of their own, which say so themselves.
        """
        if self.explorer_name == DEFAULT_EXPLORER:
            metrics = self.problem.options.metrics
            others = metrics & ~COSTS
            record = plugin.current_manager().record("joiner", self.joiner_name) if others else None
            check_metrics(metrics, isinstance(record, JoinerRecord) and record.usage)

    # -- the stages -------------------------------------------------------------------------------

    def explore(
        self,
        *,
        can_combine_multiple_runs: bool = False,
        cache_dir: Path | None = None,
        einsum_names: Sequence[str] | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
        for_join: bool = False,
    ) -> Pmappings:
        """The pmappings of each Einsum, or of some; see ``ffcore.mapper.FFM.make_pmappings``.

        ``for_join``: they are only for this job's `join`, so that some may be left out which are in no mapping that it
        returns; any other use of them is refused.
        """
        explorer, problem = self.explorer, self.problem
        if can_combine_multiple_runs:
            problem = attrs.evolve(problem, options=attrs.evolve(problem.options, combine_runs=True))
        _check_einsums(problem, einsum_names)
        self.check_metrics()
        for sentence in traps(problem):
            warnings.warn(SpecWarning(sentence), stacklevel=3)
        with phase("explore"):
            joined: dict[str, Any] = {"joined": partial(self._costs, executor)} if for_join and self._joins else {}
            found = explorer.explore(
                problem, executor=executor, progress=progress, cache_dir=cache_dir, einsum_names=einsum_names, **joined
            )
            check_explored(problem, found)
        return Pmappings(found, problem, can_combine_multiple_runs)

    @property
    def _joins(self) -> bool:
        """May the explorer leave out what is worse than mappings that the joiner makes of some pmappings?

        If mappings cost what their pmappings cost together, and are compared by nothing else.
        """
        metrics = self.problem.options.metrics
        explorer = plugin.current_manager().record("explorer", self.explorer_name)
        record = plugin.current_manager().record("joiner", self.joiner_name)
        if not (isinstance(explorer, ExplorerRecord) and explorer.joins and isinstance(record, JoinerRecord)):
            return False
        return record.exact and self._model_is_known and not metrics & ~COSTS and Objectives.of(metrics).energy

    def _costs(self, executor: Executor | None, found: PmappingSet) -> Floats:
        """(energy, latency) of the mappings that some pmappings make."""
        timed = Objectives.of(self.problem.options.metrics).latency
        try:
            mappings = self.joiner.join(found.problem, found, executor=executor)
        except FFError:  # nothing is known then: the join of all pmappings will say what is wrong
            mappings = []
        return np.array([(m.energy, m.latency if timed else 0.0) for m in mappings]).reshape(-1, 2)

    def join(
        self,
        pmappings: Pmappings,
        problem: Problem | None = None,
        *,
        executor: Executor | None = None,
        progress: Progress | None = None,
    ) -> Mappings:
        """Mappings of the workload, ranked by the spec's metrics; see ``ffcore.mapper.FFM.join_pmappings``.

        ``problem``: that the pmappings are to be joined for, by default the job's own.
        """
        problem, source = problem or self.problem, pmappings.source
        with phase("join"):
            check_any_left(pmappings)
            if isinstance(source, PmappingSet) and problem is not source.problem:
                source.check_whole()
            judged: dict[str, Any] = {"model": self.model} if self.judges else {}
            joined = self.joiner.join(problem, pmappings.source, executor=executor, progress=progress, **judged)
            if not joined:
                raise nothing_joined(problem, source, self.joiner, self.exact)
            if not problem.options.metrics & ~COMPARED:
                joined = select(problem, joined)  # whatever the joiner: the metrics say what is returned
        entries = [self._entry(problem, source, mapping) for mapping in joined]
        return Mappings(entries, self.guarantee(problem, source, joined))

    def evaluate(self, nests: Sequence[Nest]) -> JointEvaluation:
        """What the model says of a mapping: a nest for each Einsum, in order."""
        return self.model.evaluate(self.problem, nests)

    def _entry(self, problem: Problem, source: object, mapping: JoinedMapping) -> MappingEntry:
        if isinstance(source, PmappingSet) and mapping.rows:
            # Runs under other constraints were combined: the model must see each Einsum as its run did.
            problem = attrs.evolve(problem, einsums=source.einsums_of(mapping.rows))
        # The order of holders that no loop separates is nobody's choice: written down, they are one node.
        nests = tuple(settled(e, n) for e, n in zip(problem.einsums, mapping.nests, strict=True))
        return MappingEntry(problem, nests, self.model.evaluate)

    # -- what is promised -------------------------------------------------------------------------

    @property
    def judges(self) -> bool:
        """Does the search itself ask the spec's model, which no law describes, what whole mappings cost?

        Only a joiner that can, on pmappings of which the explorer pruned none.
        """
        if self._model_is_known:
            return False
        record = plugin.current_manager().record("joiner", self.joiner_name)
        return isinstance(record, JoinerRecord) and record.judges and self.explorer_name == record.explorer

    @property
    def _model_is_known(self) -> bool:
        """Does every search obey the model?"""
        name = self.spec.mapper.model
        return name == DEFAULT_MODEL or plugin.current_manager().law(name) is not None

    def guarantee(
        self, problem: Problem, source: object = None, joined: Sequence[JoinedMapping] = ()
    ) -> Guarantee | None:
        """What the search promises for a problem; nothing where it does not know the model. None: it never does."""
        found = guarantee_of(self.joiner, problem, source, joined)
        if found is None or self._model_is_known or self.judges:
            return found
        name = self.spec.mapper.model
        return Guarantee(math.inf, 0.0, f"model {name} evaluates mappings found under {DEFAULT_MODEL!r}")


def check_any_left(pmappings: Pmappings) -> None:
    """Raise NoValidMappingError for an Einsum without pmappings."""
    for found in pmappings.set.einsums if isinstance(pmappings.source, PmappingSet) else ():
        if not len(found.rows):
            name = found.einsum.name
            raise NoValidMappingError(f"no pmapping of Einsum {name} is left", einsum=name)


def _check_einsums(problem: Problem, names: Sequence[str] | None) -> None:
    for name in names or ():
        if name not in problem.einsum:
            known = ", ".join(problem.einsum)
            raise SpecError.one(f"no Einsum {name!r}; there are {known}", suggestion=suggest(name, problem.einsum))

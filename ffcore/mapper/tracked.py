"""``ffcore.mapper.simanneal2`` and its kin: joiners of a plugin that search, with a call of their own.

tracker = ff.mapper.simanneal2.join_pmappings(spec, pmappings, score_target=1e-3, max_evaluations=20)
tracker.history  # (evaluations, best score) at each improvement
tracker.mappings
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import TYPE_CHECKING, Any

import attrs

from ffcore import plugin
from ffcore.errors import FFError
from ffcore.mapper.ffm import problem_to_join
from ffcore.mapper.job import Job, check_any_left
from ffcore.mapper.workers import workers
from ffcore.phases import phase

if TYPE_CHECKING:
    from ffcore.plugin import Progress
    from ffcore.results.pmappings import Pmappings, RowFilter
    from ffcore.spec import Spec


@attrs.frozen
class TrackedMapper:
    """The joiner ``name``, which tells how its search went."""

    name: str

    def join_pmappings(
        self,
        spec: Spec,
        pmappings: Pmappings,
        pmapping_row_filter_function: RowFilter | None = None,
        *,
        n_jobs: int | None = None,
        executor: Executor | None = None,
        progress: Progress | None = None,
        **options: Any,
    ) -> Any:
        """Search, and return the tracker: ``history``, ``seconds_history``, ``score``, ``mappings``.

        ``options`` are the joiner's own (``seed``, ``max_evaluations``, ``time_limit``, ``score_target``, ...; see
        docs/baselines.md); where the spec names this joiner, they add to ``spec.mapper.joiner_options``. The rest is as
        for ``FFM.join_pmappings``. Raises PluginError where the joiner is not installed, SpecError for options that it
        does not have, FFError for values that make no sense, NoValidMappingError where nothing is compatible.
        """
        joiner: Any = Job.of(spec, joiner=self.name, options=options).joiner
        record = plugin.current_manager().record("joiner", self.name)
        if not (isinstance(record, plugin.JoinerRecord) and record.tracks):
            raise FFError(f"the joiner {self.name!r} keeps no history: name it in spec.mapper.joiner instead")
        with phase("spec"):
            problem = problem_to_join(spec, pmappings, self.name)
        with phase("join"), workers(spec, n_jobs, executor) as pool:
            if pmapping_row_filter_function is not None:
                pmappings = pmappings.filter_rows(pmapping_row_filter_function)
            check_any_left(pmappings)
            return joiner.track(problem, pmappings.source, executor=pool, progress=progress)

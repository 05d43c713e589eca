"""The analytical model as a part that specs name: ``mapper: {model: default}``."""

from __future__ import annotations

from collections.abc import Sequence

from ffcore.errors import SpecError, SpecProblem
from ffcore.mapping.nest import Nest
from ffcore.mapping.paths import MappingError
from ffcore.model.constraints import broken_constraints
from ffcore.model.mapping import evaluate_joint
from ffcore.model.types import JointEvaluation
from ffcore.spec.problem import Problem


class DefaultModel:
    """The model of the semantics, sections 3 and 4."""

    def evaluate(self, problem: Problem, nests: Sequence[Nest]) -> JointEvaluation:
        """Evaluate one nest for each Einsum, in workload order: J, s, bits.

        Raises SpecError for nests that do not fit the workload or each other, or that break a
        constraint of the architecture (all of these at once). A memory that is too small is no
        error: the result's ``overflows`` say so.
        """
        try:
            joint = evaluate_joint(problem, nests)
            broken = [p for e, n in zip(problem.einsums, nests, strict=True) for p in broken_constraints(e, n)]
        except MappingError as error:
            raise SpecError.one(str(error)) from error
        if broken:
            raise SpecError([SpecProblem(message) for message in broken])
        return joint

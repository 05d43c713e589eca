"""The analytical model as a part, to be picked by name like any other."""

from __future__ import annotations

from collections.abc import Sequence

from ffcore.mapping.nest import Nest
from ffcore.model.joint import evaluate_joint
from ffcore.model.types import JointEvaluation
from ffcore.spec.problem import Problem


class DefaultModel:
    """Model ``default``: the rules of the field, as `evaluate_joint` implements them."""

    def evaluate(self, problem: Problem, nests: Sequence[Nest]) -> JointEvaluation:
        """Cost of the mapping; raises what `evaluate_joint` raises."""
        return evaluate_joint(problem, nests)

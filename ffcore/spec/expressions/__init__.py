"""Safe evaluation of the value and set expressions in a spec."""

from ffcore.spec.expressions.evaluate import evaluate, names_in
from ffcore.spec.expressions.maxlinear import MaxLinear
from ffcore.spec.expressions.operations import total_budget
from ffcore.spec.expressions.tensorset import NameSet, RankVariableSet, TensorInfo, TensorSet

__all__ = [
    "MaxLinear",
    "NameSet",
    "RankVariableSet",
    "TensorInfo",
    "TensorSet",
    "evaluate",
    "names_in",
    "total_budget",
]

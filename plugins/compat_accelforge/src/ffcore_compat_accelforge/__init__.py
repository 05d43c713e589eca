"""The names that scripts for AccelForge use, over ffcore: ``import ffcore_compat_accelforge as af``.

The search, the model and the numbers are ffcore's; this module has no rules of its own, only names.
"""

from ffcore.plugin import Metric as Metrics
from ffcore.plugin import SpecError as EvaluationError
from ffcore.plugin import architecture as arch
from ffcore.plugin import config, renames, set_n_parallel_jobs
from ffcore_compat_accelforge import examples, mapper
from ffcore_compat_accelforge.mappings import Mappings
from ffcore_compat_accelforge.spec import Arch, Einsum, Spec, Workload

Config, Renames = config.Config, renames.Renames

__all__ = [
    "Arch",
    "Config",
    "Einsum",
    "EvaluationError",
    "Mappings",
    "Metrics",
    "Renames",
    "Spec",
    "Workload",
    "arch",
    "examples",
    "mapper",
    "set_n_parallel_jobs",
]

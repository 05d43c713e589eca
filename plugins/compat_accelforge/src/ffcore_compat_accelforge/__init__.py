"""The names that scripts for AccelForge use, over ffcore: ``import ffcore_compat_accelforge as af``.

The search, the model and the numbers are ffcore's; this module has no rules of its own, only names. They are imported
when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ffcore.plugin import Metric as Metrics
    from ffcore.plugin import SpecError as EvaluationError
    from ffcore.plugin import architecture as arch
    from ffcore.plugin import config, renames, set_n_parallel_jobs
    from ffcore_compat_accelforge import examples, mapper, spec
    from ffcore_compat_accelforge import spec as workload
    from ffcore_compat_accelforge.mappings import Mappings
    from ffcore_compat_accelforge.spec import Arch, Einsum, Spec, TensorAccess, Workload

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
    "TensorAccess",
    "Workload",
    "arch",
    "config",
    "examples",
    "mapper",
    "renames",
    "set_n_parallel_jobs",
    "spec",
    "workload",
]

# Name -> the module that has it, and what it is called there ("" for the module itself).
_WHERE = {
    "Arch": ("ffcore_compat_accelforge.spec", "Arch"),
    "Config": ("ffcore.plugin", "config.Config"),
    "Einsum": ("ffcore_compat_accelforge.spec", "Einsum"),
    "EvaluationError": ("ffcore.plugin", "SpecError"),
    "Mappings": ("ffcore_compat_accelforge.mappings", "Mappings"),
    "Metrics": ("ffcore.plugin", "Metric"),
    "Renames": ("ffcore.plugin", "renames.Renames"),
    "Spec": ("ffcore_compat_accelforge.spec", "Spec"),
    "TensorAccess": ("ffcore_compat_accelforge.spec", "TensorAccess"),
    "Workload": ("ffcore_compat_accelforge.spec", "Workload"),
    "arch": ("ffcore.plugin", "architecture"),
    "examples": ("ffcore_compat_accelforge.examples", ""),
    "mapper": ("ffcore_compat_accelforge.mapper", ""),
    "config": ("ffcore.plugin", "config"),
    "renames": ("ffcore.plugin", "renames"),
    "set_n_parallel_jobs": ("ffcore.plugin", "set_n_parallel_jobs"),
    "spec": ("ffcore_compat_accelforge.spec", ""),
    "workload": ("ffcore_compat_accelforge.spec", ""),
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, path = _WHERE[name]
    value: Any = importlib.import_module(module)
    for part in path.split(".") if path else ():
        value = getattr(value, part)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})

"""The names that scripts for AccelForge use, over ffcore: ``import ffcore_compat_accelforge as af``.

The search, the model and the numbers are ffcore's; this module has no rules of its own, only names. They are imported
when they are first used: `ff` looks into every plugin, and its help should not wait for them.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ffcore.plugin import Metric as Metrics
    from ffcore.plugin import SpecError as EvaluationError
    from ffcore.plugin import architecture as arch
    from ffcore.plugin import config, renames, set_n_parallel_jobs
    from ffcore_compat_accelforge import mapper
    from ffcore_compat_accelforge.mappings import Mappings
    from ffcore_compat_accelforge.spec import Arch, Einsum, Spec, Workload

    Config, Renames = config.Config, renames.Renames

_SPEC, _CONTRACT = "ffcore_compat_accelforge.spec", "ffcore.plugin"
_PLACES = {
    "Arch": (_SPEC, "Arch"),
    "Config": (_CONTRACT, "config.Config"),
    "Einsum": (_SPEC, "Einsum"),
    "EvaluationError": (_CONTRACT, "SpecError"),
    "Mappings": ("ffcore_compat_accelforge.mappings", "Mappings"),
    "Metrics": (_CONTRACT, "Metric"),
    "Renames": (_CONTRACT, "renames.Renames"),
    "Spec": (_SPEC, "Spec"),
    "Workload": (_SPEC, "Workload"),
    "arch": (_CONTRACT, "architecture"),
    "mapper": ("ffcore_compat_accelforge.mapper", ""),
    "set_n_parallel_jobs": (_CONTRACT, "set_n_parallel_jobs"),
}

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
    "mapper",
    "set_n_parallel_jobs",
]


def __getattr__(name: str) -> Any:
    """Import what is asked for (PEP 562)."""
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module, path = _PLACES[name]
    found: Any = importlib.import_module(module)
    for part in filter(None, path.split(".")):
        found = getattr(found, part)
    globals()[name] = found
    return found

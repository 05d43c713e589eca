"""ffcore: provably optimal fused mappings of tensor-algebra workloads onto accelerators.

    import ffcore as ff

    spec = ff.Spec.from_yaml("tpu_v4i_like_constrained", "gpt3_6.7B", jinja_parse_data={"BATCH_SIZE": 4})
    mappings = ff.map_workload_to_arch(spec)

Public names are imported when they are first used (PEP 562): importing ffcore itself loads no numpy, no numba,
no pandas, no graphviz and no plugin.
"""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING, Any

from ffcore._version import __version__ as __version__

if TYPE_CHECKING:
    from ffcore import mapper, plugin
    from ffcore.api import evaluate_mapping, map_workload_to_arch, set_n_parallel_jobs
    from ffcore.errors import FFError, LimitError, NoValidMappingError, PluginError, SpecError
    from ffcore.spec import Spec, arch

__all__ = [
    "FFError",
    "LimitError",
    "NoValidMappingError",
    "PluginError",
    "Spec",
    "SpecError",
    "__version__",
    "arch",
    "evaluate_mapping",
    "map_workload_to_arch",
    "mapper",
    "plugin",
    "set_n_parallel_jobs",
]

# Public name -> where it is; an empty attribute means the module itself.
_PUBLIC = {
    "FFError": ("ffcore.errors", "FFError"),
    "LimitError": ("ffcore.errors", "LimitError"),
    "NoValidMappingError": ("ffcore.errors", "NoValidMappingError"),
    "PluginError": ("ffcore.errors", "PluginError"),
    "Spec": ("ffcore.spec", "Spec"),
    "SpecError": ("ffcore.errors", "SpecError"),
    "arch": ("ffcore.spec", "arch"),
    "evaluate_mapping": ("ffcore.api", "evaluate_mapping"),
    "map_workload_to_arch": ("ffcore.api", "map_workload_to_arch"),
    "mapper": ("ffcore.mapper", ""),
    "plugin": ("ffcore.plugin", ""),
    "set_n_parallel_jobs": ("ffcore.api", "set_n_parallel_jobs"),
}


def __getattr__(name: str) -> Any:
    """A public name, imported; or the function of a command that a plugin brings, such as ``ffcore.sweep``."""
    if name not in _PUBLIC:
        return _function_of_command(name)
    module, attribute = _PUBLIC[name]
    value: Any = importlib.import_module(module)
    if attribute:
        value = getattr(value, attribute)
    globals()[name] = value
    return value


def _function_of_command(name: str) -> Any:
    if name.startswith("_") or importlib.util.find_spec(f"{__name__}.{name}"):  # one about to be imported
        raise AttributeError(f"module 'ffcore' has no attribute {name!r}")
    from ffcore.errors import PluginError
    from ffcore.plugin.manager import current_manager

    why, manager, command = "", current_manager(), name.replace("_", "-")
    if command in (*manager.names("command"), *manager.missing("command")):
        try:
            found = manager.function(command)
        except PluginError as error:
            why = f": {error}"
        else:
            if found is not None:
                return found
    raise AttributeError(f"module 'ffcore' has no attribute {name!r}{why}")


def __dir__() -> list[str]:
    from ffcore.plugin.manager import current_manager

    return sorted({*globals(), *_PUBLIC, *(name.replace("-", "_") for name in current_manager().functions())})

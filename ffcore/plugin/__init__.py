"""Plugins: register parts of the pipeline under a name, and look them up by kind and name.

For users of parts::

    joiner = ffcore.plugin.get("joiner", "ffm")
    ffcore.plugin.names("explorer")          # ('default', 'exhaustive')

For authors of plugins: ``hookimpl``, the record types and the protocols below; docs/plugins.md builds one from nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, overload

from ffcore.plugin.hooks import hookimpl
from ffcore.plugin.interfaces import (
    Arch,
    ArchData,
    ComponentCost,
    ComponentQuery,
    CostModel,
    ExecutorFactory,
    Explorer,
    Joiner,
    Model,
    Renderer,
    RenderKind,
    SpecData,
    SpecLoader,
)
from ffcore.plugin.manager import DISABLE_VARIABLE, Plugin, PluginManager, current_manager
from ffcore.plugin.progress import Progress, Step
from ffcore.plugin.records import (
    RECORD_TYPES,
    ArchRecord,
    CommandRecord,
    CostModelRecord,
    ExecutorRecord,
    ExplorerRecord,
    JoinerRecord,
    ModelRecord,
    Parameter,
    Record,
    RendererRecord,
    SpecLoaderRecord,
)

if TYPE_CHECKING:
    from concurrent.futures import Executor

    from ffcore.plugin.contract import *  # noqa: F403

__all__ = [
    "DISABLE_VARIABLE",
    "RECORD_TYPES",
    "Arch",
    "ArchData",
    "ArchRecord",
    "CommandRecord",
    "ComponentCost",
    "ComponentQuery",
    "CostModel",
    "CostModelRecord",
    "ExecutorFactory",
    "ExecutorRecord",
    "Explorer",
    "ExplorerRecord",
    "Joiner",
    "JoinerRecord",
    "Model",
    "ModelRecord",
    "Parameter",
    "Plugin",
    "PluginManager",
    "Progress",
    "Record",
    "RenderKind",
    "Renderer",
    "RendererRecord",
    "SpecData",
    "SpecLoader",
    "SpecLoaderRecord",
    "Step",
    "current_manager",
    "get",
    "hookimpl",
    "names",
    "records",
]


@overload
def get(kind: Literal["joiner"], name: str) -> Joiner: ...
@overload
def get(kind: Literal["explorer"], name: str) -> Explorer: ...
@overload
def get(kind: Literal["model"], name: str) -> Model: ...
@overload
def get(kind: Literal["cost_model"], name: str) -> CostModel: ...
@overload
def get(kind: Literal["arch"], name: str, **arguments: Any) -> ArchData: ...
@overload
def get(kind: Literal["renderer"], name: str) -> Renderer: ...
@overload
def get(kind: Literal["executor"], name: str, *, n_jobs: int, **options: Any) -> Executor: ...
@overload
def get(kind: Literal["spec_loader"], name: str) -> SpecLoader: ...
@overload
def get(kind: str, name: str, **arguments: Any) -> Any: ...
def get(kind: str, name: str, **arguments: Any) -> Any:
    """Make the part that is registered as ``name``: see ``PluginManager.get``.

    Kinds: ``spec_loader``, ``arch``, ``cost_model``, ``model``, ``explorer``, ``joiner``, ``renderer``, ``executor``,
    and ``command``, of which it is the function itself.
    """
    return current_manager().get(kind, name, **arguments)


def names(kind: str) -> tuple[str, ...]:
    """Names of the installed parts of a kind, sorted by (priority, name)."""
    return current_manager().names(kind)


def records(kind: str) -> tuple[Record, ...]:
    """Records of the installed parts of a kind, sorted by (priority, name)."""
    return current_manager().records(kind)


def __getattr__(name: str) -> Any:
    """What plugins are written against besides, see ``ffcore.plugin.contract``."""
    from ffcore.plugin.contract import find

    return find(name)

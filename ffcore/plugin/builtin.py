"""The parts that core brings along, registered through the same hooks as everybody else's."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin.hooks import hookimpl
from ffcore.plugin.records import ExecutorRecord, ExplorerRecord, JoinerRecord, ModelRecord

DEFAULT_EXECUTOR = "forks"
"""What runs parallel work where a spec names nothing else."""


@hookimpl
def ffcore_models() -> Iterable[ModelRecord]:
    """The analytical model."""
    yield ModelRecord("default", "the analytical model of docs/architecture.md", "ffcore.model.default:DefaultModel")


@hookimpl
def ffcore_explorers() -> Iterable[ExplorerRecord]:
    """The pruned search."""
    yield ExplorerRecord(
        "default",
        "pruned exact search of templates and tiles",
        "ffcore.explore.default:DefaultExplorer",
        keeps_pmappings=True,
        joins=True,
        imperfect=True,
    )


@hookimpl
def ffcore_joiners() -> Iterable[JoinerRecord]:
    """What joins where nothing has to be joined."""
    yield JoinerRecord(
        "single",
        "the mappings of a workload of one Einsum",
        "ffcore.pmappings.single:SingleJoiner",
        priority=20,
        exact=True,
        usage=True,
    )


@hookimpl
def ffcore_executors() -> Iterable[ExecutorRecord]:
    """Workers on this machine."""
    yield ExecutorRecord(
        "forks", "forked processes, or a pool of others where forking is not safe", "ffcore.plugin.executors:forks"
    )
    yield ExecutorRecord("processes", "a pool of local processes", "ffcore.plugin.executors:processes")
    yield ExecutorRecord("serial", "the calling thread, one job at a time", "ffcore.plugin.executors:serial")
    yield ExecutorRecord("threads", "a pool of local threads", "ffcore.plugin.executors:threads")

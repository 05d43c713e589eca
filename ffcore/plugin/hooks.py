"""The hooks that a plugin may implement. A hook registers records; it computes nothing.

A plugin is a module that defines some of these functions under ``@ffcore.plugin.hookimpl`` and that an
entry point of the group ``ffcore`` names::

    [project.entry-points.ffcore]
    greedy = "my_package.plugin"

The hook of a kind is called ``ffcore_<kind>s`` (``ffcore_arches`` for architectures). All hooks run when
the first part is looked up, so they must be quick and must not import what the part needs.
"""

from __future__ import annotations

from collections.abc import Iterable

import pluggy

from ffcore.plugin.records import (
    ArchRecord,
    CommandRecord,
    CostModelRecord,
    ExecutorRecord,
    ExplorerRecord,
    JoinerRecord,
    ModelRecord,
    RendererRecord,
    SpecLoaderRecord,
)

NAME = "ffcore"
"""The hook namespace and the entry-point group."""

hookspec = pluggy.HookspecMarker(NAME)
hookimpl = pluggy.HookimplMarker(NAME)


@hookspec
def ffcore_spec_loaders() -> Iterable[SpecLoaderRecord]:  # type: ignore[empty-body]
    """Register readers of spec files that are not native YAML.

    Example::

        @hookimpl
        def ffcore_spec_loaders():
            yield SpecLoaderRecord("toml", "specs written in TOML", "my_plugin.toml:TomlLoader", suffixes=(".toml",))
    """


@hookspec
def ffcore_arches() -> Iterable[ArchRecord]:  # type: ignore[empty-body]
    """Register architectures that are found by name, with parameters.

    Example::

        @hookimpl
        def ffcore_arches():
            yield ArchRecord(
                "edge_npu", "8 x 8 array with one buffer", "my_plugin.npu:edge_npu",
                parameters=[Parameter("buffer_size", 2**20, "bit", "size of the buffer")],
            )
    """


@hookspec
def ffcore_cost_models() -> Iterable[CostModelRecord]:  # type: ignore[empty-body]
    """Register component cost models: what a component's actions cost.

    Example::

        @hookimpl
        def ffcore_cost_models():
            yield CostModelRecord("table", "energies from a CSV table", "my_plugin.costs:TableCosts")
    """


@hookspec
def ffcore_models() -> Iterable[ModelRecord]:  # type: ignore[empty-body]
    """Register analytical models: energy, latency and occupancy of a mapping.

    Example::

        @hookimpl
        def ffcore_models():
            yield ModelRecord("stalls", "the default model plus stalls", "my_plugin.model:StallModel")
    """


@hookspec
def ffcore_explorers() -> Iterable[ExplorerRecord]:  # type: ignore[empty-body]
    """Register explorers: they make the pmappings of each Einsum.

    Example::

        @hookimpl
        def ffcore_explorers():
            yield ExplorerRecord("sampled", "a random tenth of the templates", "my_plugin.explore:Sampled")
    """


@hookspec
def ffcore_joiners() -> Iterable[JoinerRecord]:  # type: ignore[empty-body]
    """Register joiners: they combine pmappings into mappings of the whole workload.

    Example::

        @hookimpl
        def ffcore_joiners():
            yield JoinerRecord("greedy", "best pmapping of each Einsum in turn", "my_plugin.greedy:GreedyJoiner")
    """


@hookspec
def ffcore_renderers() -> Iterable[RendererRecord]:  # type: ignore[empty-body]
    """Register renderers: pictures of workloads, architectures and mappings.

    Example::

        @hookimpl
        def ffcore_renderers():
            yield RendererRecord("tikz", "figures for LaTeX", "my_plugin.tikz:Tikz", formats=("tex",))
    """


@hookspec
def ffcore_executors() -> Iterable[ExecutorRecord]:  # type: ignore[empty-body]
    """Register executors: how parallel work is run.

    Example::

        @hookimpl
        def ffcore_executors():
            yield ExecutorRecord("dask", "a Dask cluster", "my_plugin.cluster:dask_executor")
    """


@hookspec
def ffcore_commands() -> Iterable[CommandRecord]:  # type: ignore[empty-body]
    """Register commands of ``ff``.

    Example::

        @hookimpl
        def ffcore_commands():
            yield CommandRecord("roofline", "is a workload bound by memory?", "my_plugin.command:roofline")
    """


HOOK_OF_KIND: dict[str, str] = {
    "spec_loader": "ffcore_spec_loaders",
    "arch": "ffcore_arches",
    "cost_model": "ffcore_cost_models",
    "model": "ffcore_models",
    "explorer": "ffcore_explorers",
    "joiner": "ffcore_joiners",
    "renderer": "ffcore_renderers",
    "executor": "ffcore_executors",
    "command": "ffcore_commands",
}

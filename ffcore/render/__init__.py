"""Showing workloads, architectures and mappings: as text always, as pictures where a renderer is installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ffcore.mapping.text import mapping_text
from ffcore.render.arch import arch_text
from ffcore.render.mapping import view_mapping
from ffcore.render.rendering import MissingProgramError, Rendering, RenderWarning
from ffcore.render.workload import workload_text

if TYPE_CHECKING:
    from ffcore.mapping.tree import MappingTree
    from ffcore.model.types import JointEvaluation
    from ffcore.spec.architecture import Arch
    from ffcore.spec.problem import Problem
    from ffcore.spec.spec import Spec
    from ffcore.spec.workload import Workload

__all__ = [
    "MissingProgramError",
    "RenderWarning",
    "Rendering",
    "arch_text",
    "mapping_text",
    "render_arch",
    "render_mapping",
    "render_workload",
    "workload_text",
]


def render_workload(source: Spec | Workload, renderer: str | None = None) -> Rendering:
    """Show a workload: Einsums, tensors with shapes and sizes, who feeds whom."""
    return Rendering("workload", source, lambda: workload_text(source), renderer)


def render_arch(source: Spec | Arch, renderer: str | None = None) -> Rendering:
    """Show an architecture: the tree of its nodes with sizes, energies and throughputs."""
    return Rendering("arch", source, lambda: arch_text(source), renderer)


def render_mapping(
    tree: MappingTree,
    problem: Problem | None = None,
    renderer: str | None = None,
    evaluation: JointEvaluation | None = None,
) -> Rendering:
    """Show a mapping: who holds what, which loops run how often, Einsums side by side.

    With ``problem`` the sizes of tiles and all trip counts are shown too, with ``evaluation`` the costs and how full
    memories are. The renderer gets a ``MappingView``.
    """
    view = view_mapping(tree, problem, evaluation)
    return Rendering("mapping", view, lambda: mapping_text(tree, problem), renderer)

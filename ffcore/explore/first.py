"""Which templates to explore first where time may run out: those whose rows go together with any others."""

from __future__ import annotations

from collections.abc import Sequence

from ffcore.templates import Template


def unfused_first(templates: Sequence[Template]) -> list[Template]:
    """The templates, those first that keep shared tensors furthest out, above all loops.

    Einsums that keep their shared tensors there can be joined with each other, so that some mapping of the workload is
    soon known.
    """
    return sorted(templates, key=_depth)


def _depth(template: Template) -> tuple[int, int]:
    shared = [s.index for s in template.sites if s.backing and s.tensor in template.einsum.shared]
    return template.fused_cut, max(shared, default=0)

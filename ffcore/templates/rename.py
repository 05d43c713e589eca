"""Templates of equal Einsums: made once, then written again in each one's own names."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from functools import cached_property
from typing import TypeVar

import attrs

from ffcore.spec.problem import EinsumProblem
from ffcore.templates.holders import HolderChoice
from ffcore.templates.types import Site, SpatialLoop, Template, TollSite

_T = TypeVar("_T", bound=Hashable)


@attrs.frozen
class _Outline:
    """A template as places in the lists of `TemplateStock`."""

    choice: int
    sites: tuple[int, ...]
    tolls: tuple[int, ...]
    blocks: tuple[int, ...]
    spatial: tuple[int, ...]


class TemplateStock:
    """The templates of one Einsum, its parts listed once: most templates share most of them."""

    def __init__(self, einsum: EinsumProblem, choices: Sequence[HolderChoice], templates: Sequence[Template]) -> None:
        """``choices``: what `templates` were made from, those of all paths in order."""
        self._einsum = einsum
        self._templates = tuple(templates)
        self._sites: dict[Site, int] = {}
        self._tolls: dict[TollSite, int] = {}
        self._blocks: dict[tuple[str, ...], int] = {}
        self._spatial: dict[SpatialLoop, int] = {}
        self._choices = choices

    @cached_property
    def _outlines(self) -> list[_Outline]:
        """The templates, listed when an equal Einsum first asks for them."""
        numbers = {id(choice.components): i for i, choice in enumerate(self._choices)}
        return [
            _Outline(
                numbers[id(t.components)],
                _places(t.sites, self._sites),
                _places(t.tolls, self._tolls),
                _places(t.blocks, self._blocks),
                _places(t.spatial, self._spatial),
            )
            for t in self._templates
        ]

    def of(self, einsum: EinsumProblem, choices: Sequence[HolderChoice]) -> tuple[Template, ...]:
        """The templates of an equal Einsum (see ``ffcore.explore.reuse.equal``), whose own choices are given."""
        if einsum is self._einsum:
            return self._templates
        outlines = self._outlines  # which lists the parts
        t = dict(zip((t.name for t in self._einsum.tensors), (t.name for t in einsum.tensors), strict=True))
        v = dict(zip(self._einsum.bounds, einsum.bounds, strict=True))
        sites = [Site(t[s.tensor], s.index, s.cut, s.reservation, s.backing, s.persistent) for s in self._sites]
        tolls = [TollSite(t[s.tensor], s.index) for s in self._tolls]
        blocks = [tuple(v[x] for x in block) for block in self._blocks]
        spatial = [SpatialLoop(v[s.variable], s.index, s.dimension, s.block) for s in self._spatial]
        return tuple(
            Template(
                einsum,
                choices[o.choice].components,
                tuple(map(sites.__getitem__, o.sites)),
                tuple(map(tolls.__getitem__, o.tolls)),
                tuple(map(blocks.__getitem__, o.blocks)),
                tuple(map(spatial.__getitem__, o.spatial)),
            )
            for o in outlines
        )


def _places(items: Iterable[_T], known: dict[_T, int]) -> tuple[int, ...]:
    return tuple(known.setdefault(item, len(known)) for item in items)

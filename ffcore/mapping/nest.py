"""The mapping of one Einsum: a list of holders and loops from the root to the compute.

A nest with every ``tile`` set is a pmapping; the model evaluates it. A nest is what the fast
explorer, the exhaustive mapper and a hand-written mapping tree all boil down to.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs


@attrs.frozen
class Holder:
    """``component`` (a memory or Toll, by name) holds the tile of ``tensor`` from here down."""

    tensor: str
    component: str


@attrs.frozen
class Temporal:
    """A temporal loop over ``variable``: ``tile`` is what one iteration covers."""

    variable: str
    tile: int


@attrs.frozen
class Spatial:
    """A spatial loop across dimension ``dimension`` of ``component``."""

    variable: str
    tile: int
    component: str
    dimension: str


NestNode: TypeAlias = Holder | Temporal | Spatial


@attrs.frozen
class Nest:
    """One Einsum's nest on one root-to-compute path, outermost node first.

    Loops that run once may be present or absent; they change nothing but where a reservation
    may sink (semantics, section 2), for which a template's full loop list is the truth.
    """

    einsum: str
    compute: str  # name of the Compute, which ends the nest
    nodes: tuple[NestNode, ...]

"""Types of the template stage: one Einsum's holders and loops, tile sizes still open."""

from __future__ import annotations

import attrs

from ffcore.spec.problem import Component, EinsumProblem


@attrs.frozen
class Site:
    """One holder of a template: ``tensor`` in component ``index`` of the path.

    ``cut`` says where it stands: directly above temporal block ``cut``. ``reservation`` is the cut
    at which its reservation stands: the same, or one further in when the reservation sinks through
    a partially relevant loop (semantics, section 2).
    """

    tensor: str
    index: int
    cut: int
    reservation: int
    backing: bool
    persistent: bool


@attrs.frozen
class SpatialLoop:
    """A candidate spatial loop: ``variable`` across dimension ``dimension`` of component ``index``.

    It stands at the end of temporal block ``block``, below its loops.
    """

    variable: str
    index: int
    dimension: int
    block: int


@attrs.frozen
class TollSite:
    """A Toll that charges ``tensor`` on its way to what is below component ``index``."""

    tensor: str
    index: int


@attrs.frozen
class Template:
    """Holders and loops of one Einsum on one path, outermost first.

    Temporal loops come in blocks: block ``b`` holds one loop for each of its rank variables and
    stands between cuts ``b`` and ``b + 1``; the compute stands at cut ``len(blocks)``. Within a
    block the order of loops changes no count.
    """

    einsum: EinsumProblem
    components: tuple[Component, ...]  # of the path, evaluated for this choice of holders
    sites: tuple[Site, ...]  # outermost first
    tolls: tuple[TollSite, ...]
    blocks: tuple[tuple[str, ...], ...]
    spatial: tuple[SpatialLoop, ...]

    @property
    def fused_cut(self) -> int:
        """Cut of the last backing holder of a shared tensor; loops above it are fused."""
        cuts = [s.cut for s in self.sites if s.backing and s.tensor in self.einsum.shared]
        return max(cuts, default=0)

    @property
    def fuses(self) -> bool:
        """Is any tensor shared? If none is, no loop is fused, however high it stands."""
        return bool(self.einsum.shared)

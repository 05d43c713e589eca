"""What became of a network: nothing is dropped without being said here."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping

import attrs

from ffcore_onnx_import.lowering import ATTACHED, CONSTANT, COPIED, EINSUM, FOLDED, VIEW, Lowering


@attrs.frozen
class Summary:
    """Counts of nodes by what they became, and totals of the network."""

    nodes: int
    fate: Mapping[str, int]
    copies: Mapping[str, int]  # operator -> copy Einsums beside those that nodes became
    unknown: Mapping[str, int]  # operators that were mapped as copies
    extra_reads: int  # values that joins count although they are not there
    unread: tuple[str, ...]  # inputs of the network that no Einsum reads
    einsums: int
    macs: int
    parameters: int

    @property
    def lines(self) -> tuple[str, ...]:
        """Sentences for people."""
        kinds = [(EINSUM, "Einsums"), (VIEW, "views (index maps of what reads them)"), (FOLDED, "folded into another")]
        kinds += [(ATTACHED, "attached to their producer"), (CONSTANT, "constants"), (COPIED, "copied")]
        counts = ", ".join(f"{self.fate[k]} {text}" for k, text in kinds if self.fate.get(k))
        lines = [f"{self.nodes} nodes: {counts}; {self.einsums} Einsums in all"]
        lines.append(f"{quantity(self.macs)} multiply-accumulates, {quantity(self.parameters)} parameters")
        if self.copies:
            lines.append(f"copies that views needed: {_listed(self.copies)}")
        if self.unknown:
            lines.append(f"unknown operators mapped as copies: {_listed(self.unknown)}")
        if self.extra_reads:
            extra = quantity(self.extra_reads)
            lines.append(f"joins read {extra} values more than there are, to cover parts by digits")
        if self.unread:
            lines.append(f"inputs that no Einsum reads: {', '.join(self.unread)}")
        return tuple(lines)


def summarise(state: Lowering) -> Summary:
    """The summary of an import that is done."""
    read = {a.tensor for e in state.einsums for a in e.inputs}
    weights = sum(math.prod(t.sizes) for t in state.tensors.values() if t.weight and t.name in read)
    macs = sum(e.points for e in state.einsums if e.macs)
    copies = Counter(state.copies)
    for op, count in state.unknown.items():
        copies[op] -= count
    return Summary(
        nodes=sum(state.fate.values()),
        fate=dict(state.fate),
        copies={op: n for op, n in sorted(copies.items()) if n > 0},
        unknown=dict(sorted(state.unknown.items())),
        extra_reads=state.extra_reads,
        unread=tuple(i for i in state.graph.inputs if i not in read),
        einsums=len(state.einsums),
        macs=macs,
        parameters=weights + sum(e.affine for e in state.einsums),
    )


def quantity(number: int) -> str:
    """A count with a prefix: ``4.09 G``."""
    for factor, prefix in ((10**12, " T"), (10**9, " G"), (10**6, " M"), (10**3, " k")):
        if number >= factor:
            return f"{number / factor:.3g}{prefix}"
    return str(number)


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{n} {op}" for op, n in counts.items())

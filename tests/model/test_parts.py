"""The model as the plugin manager hands it out."""

from __future__ import annotations

import attrs
import pytest

from ffcore.errors import SpecError
from ffcore.model.default import DefaultModel
from tests.model.problems import matmul_chain
from tests.model.test_joint import fused_pair


def test_evaluates() -> None:
    joint = DefaultModel().evaluate(matmul_chain(2, 8, 4, buffer_bits=319), fused_pair())
    assert (joint.total_energy, joint.total_latency) == (9472, 256)
    assert not joint.fits


def test_nests_that_do_not_match() -> None:
    with pytest.raises(SpecError, match="T1 does not match"):
        DefaultModel().evaluate(matmul_chain(2, 8, 4), [fused_pair()[0], fused_pair(2)[1]])


def test_all_broken_constraints() -> None:
    first, second = fused_pair()
    moved = attrs.evolve(first, nodes=first.nodes[2:])  # without T0 and W0 in MainMemory
    with pytest.raises(SpecError) as caught:
        DefaultModel().evaluate(matmul_chain(2, 8, 4), [moved, second])
    assert str(caught.value).split("\n") == [
        "Einsum Matmul0: MainMemory must keep T0",
        "Einsum Matmul0: MainMemory must keep W0",
    ]

"""Two Einsums share loops over a part of a tensor only where they step through it alike.

`I[p]` is written and `I[p + 1]` read: a tile of the one is not a tile of the other, so that no loop over p may stand
above both. What serves whom is counted tile by tile, without the rules of any mapper.
"""

from __future__ import annotations

import pytest

import ffcore as ff
from tests.oracle.compare import fast, reference, same

_ARCH = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: ~Intermediates, may_keep: All}
    actions: [{name: read, energy: 10, throughput: inf}, {name: write, energy: 10, throughput: inf}]
  - !Memory
    name: Buffer
    size: 8
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
"""
_WORKLOAD = """
workload:
  bits_per_value: {All: 1}
  einsums:
  - {einsum: "I[P: WRITTEN] = X[p]", iteration_space_shape: [0 <= p < 12]}
  - einsum: "O[p] = I[P: READ]"
    iteration_space_shape: [0 <= p < 12]
    tensor_accesses: [{name: I, padding: {P: 32}}]
mapper: {metrics: [energy]}
"""
_FUSED = """
mapping:
  nodes:
  - !Storage {tensors: [X, O], component: DRAM}
  - !Temporal {rank_variable: p, tile_shape: 4}
  - !Storage {tensors: [I], component: Buffer}
  - !Sequential
    nodes:
    - !Nested
      nodes:
      - !Storage {tensors: [X], component: Buffer}
      - !Temporal {rank_variable: p, tile_shape: 1}
      - !Compute {einsum: I, component: MAC}
    - !Nested
      nodes:
      - !Storage {tensors: [O], component: Buffer}
      - !Temporal {rank_variable: p, tile_shape: 1}
      - !Compute {einsum: O, component: MAC}
"""

CASES = [
    ("p", "p", True),
    ("p", "p + 1", False),
    ("p + 1", "p", False),
    ("p + 1", "p + 1", True),
    ("p", "2*p", False),
    ("2*p", "2*p", True),
    ("2*p + 1", "2*p", False),
]


def spec_of(written: str, read: str, more: str = "") -> ff.Spec:
    return ff.Spec.from_string(_ARCH + _WORKLOAD.replace("WRITTEN", written).replace("READ", read) + more)


def at(index: str, value: int) -> int:
    """An index, for one value of its rank variable."""
    factor, constant = {
        "p": (1, 0),
        "p + 1": (1, 1),
        "2*p": (2, 0),
        "2*p + 1": (2, 1),
    }[index]
    return factor * value + constant


def tiles_serve(written: str, read: str, tile: int) -> bool:
    """Does each tile written hold what the tile of the same number reads?"""
    tiles = [range(start, start + tile) for start in range(0, 12, tile)]
    return all({at(read, p) for p in own} <= {at(written, p) for p in own} for own in tiles)


@pytest.mark.filterwarnings("ignore::ffcore.errors.SpecWarning")
@pytest.mark.parametrize(("written", "read", "alike"), CASES)
def test_loops_are_shared_where_tiles_serve(written: str, read: str, alike: bool) -> None:
    assert all(tiles_serve(written, read, tile) for tile in (1, 2, 3, 4, 6)) == alike
    spec = spec_of(written, read)
    problem = spec.problem()
    assert same(fast(problem), reference(problem))
    optimum = ff.map_workload_to_arch(spec, n_jobs=1).energy()
    spec.mapper.ffm.max_fused_loops = 0
    apart = ff.map_workload_to_arch(spec, n_jobs=1).energy()
    assert (optimum < apart) == alike


@pytest.mark.filterwarnings("ignore::ffcore.errors.SpecWarning")
def test_a_mapping_that_shares_them_is_refused() -> None:
    assert ff.evaluate_mapping(spec_of("p", "p", _FUSED)).energy() > 0
    with pytest.raises(ff.SpecError, match=r"I does not match: .* below P x3 \(tile 4\), .* below P\+1 x3"):
        ff.evaluate_mapping(spec_of("p", "p + 1", _FUSED))

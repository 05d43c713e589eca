"""The order of tensors within one ``!Storage`` says nothing where it would decide by accident."""

from __future__ import annotations

import pytest

import ffcore as ff

SPEC = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Memory
    name: Buffer
    size: 1000
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
workload:
  iteration_space_shape: {c: CHANNELS, p: 6, q: 6, r: 3, s: 3}
  bits_per_value: {All: 1}
  einsums:
  - name: Depthwise
    tensor_accesses:
    - {name: I, projection: {C: c, H: p + r, W: q + s}}
    - {name: F, projection: [c, r, s]}
    - {name: O, projection: [c, p, q], output: True}
mapping:
  nodes:
  - !Storage {tensors: [I, F, O], component: DRAM}
  - !Storage {tensors: HELD, component: Buffer}
  - !Temporal {rank_variable: c, tile_shape: 1}
  - !Temporal {rank_variable: p, tile_shape: 1}
  - !Temporal {rank_variable: q, tile_shape: 1}
  - !Storage {tensors: [O], component: Buffer}
  - !Temporal {rank_variable: r, tile_shape: 1}
  - !Temporal {rank_variable: s, tile_shape: 1}
  - !Compute {einsum: Depthwise, component: MAC}
"""


@pytest.mark.parametrize("held", ["[I, F]", "[F, I]"])
@pytest.mark.parametrize(
    ("channels", "bits"),
    [
        (1, 3 * 8 + 9 + 1),  # I sinks below c and p: 3 rows of 8; F stays whole; one value of O
        (4, 3 * 8 + 4 * 9 + 1),
    ],
)
def test_the_input_of_a_convolution_sinks_whatever_the_order(held: str, channels: int, bits: int) -> None:
    spec = ff.Spec.from_string(SPEC.replace("HELD", held).replace("CHANNELS", str(channels)))
    assert ff.evaluate_mapping(spec).evaluations[0].peaks["Buffer"].bits == bits

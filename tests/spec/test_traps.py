"""What is hardly ever meant is refused, or warned of."""

from __future__ import annotations

import warnings

import pytest

import ffcore as ff
from ffcore.diagnose.traps import traps
from ffcore.errors import FFError, SpecError, SpecWarning

ARCH = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {KEEP}
    actions: [{name: read, energy: 10, throughput: inf}, {name: write, energy: 10, throughput: inf}]
  - !Memory
    name: Buffer
    size: 64
    tensors: {keep: ~DRAM.tensors, may_keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Compute
    name: MAC
    actions: [{name: compute, energy: 1, throughput: 1}]
"""
KEPT = ARCH.replace("{KEEP}", "{keep: ~Intermediates, may_keep: All}")
SAME = """
workload:
  rank_sizes: {P: 8, Q: 8}
  iteration_space_shape: {r: 3, s: 3}
  bits_per_value: {All: 1}
  einsums:
  - name: C1
    tensor_accesses:
    - {name: A, projection: {W: p + r}}
    - {name: F, projection: [r]}
    - {name: B, projection: {P: p}, output: True}
  - name: C2
    tensor_accesses:
    - {name: B, projection: {P: q + s}PADDING}
    - {name: G, projection: [s]}
    - {name: D, projection: {Q: q}, output: True}
"""


@pytest.mark.parametrize("padding", ["", ", padding: {P: 1}"])
@pytest.mark.parametrize("sizes", ["{P: 8, Q: 8}", "{Q: 8}"])  # declared, or what C1 writes
def test_index_beyond_the_size_of_its_rank(padding: str, sizes: str) -> None:
    text = SAME.replace("PADDING", padding).replace("{P: 8, Q: 8}", sizes)
    text = text if "P: 8" in sizes else text.replace("r: 3,", "r: 3, p: 8,")
    with pytest.warns(SpecWarning, match="uses 10 values of rank P of tensor B, more than the 8") as caught:
        ff.Spec.from_string(KEPT + text).problem()
    assert len(caught) == 1
    assert "padding: {P: 2}" in str(caught[0].message)
    assert ":" in str(caught[0].message).split(" ")[0]  # where


@pytest.mark.filterwarnings("error")
def test_padding_that_is_said_is_fine() -> None:
    assert len(ff.Spec.from_string(KEPT + SAME.replace("PADDING", ", padding: {P: 2}")).problem().einsums) == 2


@pytest.mark.filterwarnings("error")
def test_an_input_may_be_larger_than_what_is_read() -> None:
    text = SAME.replace("PADDING", ", padding: {P: 2}").replace("{P: 8, Q: 8}", "{P: 8, Q: 8, W: 100}")
    assert ff.Spec.from_string(KEPT + text).problem()


@pytest.mark.parametrize("name", ["All", "Inputs", "Nothing", "Persistent"])
def test_tensors_are_not_called_like_sets(name: str) -> None:
    text = "workload: {rank_sizes: {M: 2}, bits_per_value: {B: 8}, einsums: ['B[m] = NAME[m]']}"
    with pytest.raises(SpecError, match=f"tensor {name} of Einsum B is called like the set {name}"):
        ff.Spec.from_string(KEPT + text.replace("NAME", name)).problem()


EINSUM = "C[m, n] = A[m, k] * B[k, n]"
MATMUL = f"workload: {{rank_sizes: {{M: 2, K: 2, N: 2}}, bits_per_value: {{All: 8}}, einsums: ['{EINSUM}']}}"


def test_an_outermost_memory_that_keeps_nothing_is_warned_of() -> None:
    spec = ff.Spec.from_string(ARCH.replace("    tensors: {KEEP}\n", "") + MATMUL)
    assert len(traps(spec.problem())) == 1
    with pytest.warns(SpecWarning, match="memory DRAM, the outermost, must keep nothing"):
        ff.map_workload_to_arch(spec, n_jobs=1)
    fine = ff.Spec.from_string(KEPT + MATMUL)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ff.map_workload_to_arch(fine, n_jobs=1)


def test_metrics_that_nobody_optimises_are_refused_before_anything_is_explored() -> None:
    spec = ff.Spec.from_string(KEPT + MATMUL)
    spec.set("mapper.ffm.metrics", "energy,actions")
    with pytest.raises(FFError, match=r"cannot be optimised for ACTIONS; metrics are energy, .*, resource_usage"):
        ff.mapper.FFM.make_pmappings(spec, n_jobs=1)
    spec.set("mapper.ffm.metrics", "resource_usage")
    ff.mapper.FFM.make_pmappings(spec, n_jobs=1)
    spec.mapper.joiner = "simanneal"
    with pytest.raises(FFError, match="cannot be optimised for RESOURCE_USAGE; metrics are"):
        ff.map_workload_to_arch(spec, n_jobs=1)


def test_a_tensor_that_is_read_twice_in_the_same_way_is_one_access() -> None:
    twice, once = (
        ff.map_workload_to_arch(ff.Spec.from_string(KEPT + MATMUL.replace(EINSUM, text)), n_jobs=1)
        for text in ("L[m, k] = X[m, k] + X[m, k]", "L[m, k] = X[m, k]")
    )
    assert twice.energy() == once.energy()


def test_the_order_in_which_an_index_is_written_does_not_matter() -> None:
    conv = "workload: {rank_sizes: {P: 4, R: 1}, bits_per_value: {All: 8}, einsums: ['O[p] = %s * W[r]']}"
    summed, turned, twice = (
        ff.Spec.from_string(KEPT + conv % text).problem().einsums[0]
        for text in ("I[X: p + r]", "I[X: r + p]", "I[X: p + r] * I[X: r + p]")
    )
    assert [t.partially_relevant for t in summed.tensors] == [t.partially_relevant for t in turned.tensors]
    assert len(twice.tensors) == 3


def test_a_transpose_that_is_none_is_said() -> None:
    """Ranks are called like their variables, so that this reads one thing twice."""
    with pytest.warns(SpecWarning, match=r"reads X\[m, k\] and X\[k, m\], .* as in X\[M: k, K: m\]"):
        ff.Spec.from_string(KEPT + MATMUL.replace(EINSUM, "G[m] = X[m, k] * X[k, m]")).problem()


def test_no_tensor_is_called_like_an_access() -> None:
    accesses = "{name: %s, projection: {M: m}}, {name: %s, projection: {M: n}}, {name: %s, projection: {M: m}}"
    text = f"{{name: E, tensor_accesses: [{accesses}, {{name: Y, projection: [m, n], output: True}}]}}"
    for names, fine in ((("X", "X", "X@2"), False), (("X", "X", "X@3"), False), (("Z", "Y2", "X@2"), True)):
        spec = ff.Spec.from_string(KEPT + MATMUL.replace(f"'{EINSUM}'", text % names))
        if fine:
            assert len(spec.problem().einsums[0].tensors) == 4
            continue
        with pytest.raises(SpecError, match=f"{names[2]} of Einsum E is called like an access of X"):
            spec.problem()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("X[m, n] = X[m, n] + B[m, n]", "has tensor X twice, and writes it"),
    ],
)
def test_other_ways_of_reading_twice_are_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ff.Spec.from_string(KEPT + MATMUL.replace(EINSUM, text)).problem()


def test_the_own_fanout_of_a_root_memory_stands_above_everything() -> None:
    """Each of its instances then has a part of the work; nothing multicasts into it."""
    spatial = KEPT.replace("    size: inf\n", "    size: inf\n    spatial: [{name: x, fanout: 2}]\n")
    spec = ff.Spec.from_string(spatial + MATMUL)
    spec.set("mapper.ffm.metrics", "latency")
    found = ff.map_workload_to_arch(spec, n_jobs=1)
    assert found.latency() == 4  # of 8 computes
    spec.mapper.explorer = spec.mapper.joiner = "exhaustive"
    exact = ff.map_workload_to_arch(spec, n_jobs=1)
    assert exact.latency() == 4
    energies = []
    for part in ("exhaustive", "default"):
        spec.set("mapper.ffm.metrics", "energy")
        spec.mapper.explorer, spec.mapper.joiner = part, part.replace("default", "ffm")
        energies.append(ff.map_workload_to_arch(spec, n_jobs=1).energy())
    assert energies[0] == pytest.approx(energies[1], rel=1e-12)
    assert any(type(n).__name__ == "Spatial" for n in found.nests[0][0].nodes[:1])

"""Packaged architectures and workloads have the published figures, each with its source, and go together."""

from __future__ import annotations

import math
import warnings
from typing import Any

import attrs
import pytest

import ffcore as ff
from ffcore.errors import SpecError, SpecWarning
from ffcore.spec import Spec
from ffcore.spec.problem import EinsumProblem
from tests.examples import examples

ARCHES = ("edge_npu", "eyeriss", "gemmini_like", "gpu_like", "nvdla_like", "simba", "two_level")
CACHES = ("K_cache", "V_cache", "C_cache", "R_cache")


@attrs.frozen
class Figures:
    """Of all Einsums with a weight: multiply-accumulates, and values of the weights that nothing else writes."""

    macs: float
    weights: float


def weight_of(einsum: Any, problem: EinsumProblem) -> str | None:
    names = {r.name: str(r.source) for r in einsum.renames.tensor_accesses}
    return names["weight"] if names["weight"] in problem.tensor else None


def load(workload: str, arch: str = "simple", **parameters: object) -> Spec:
    return Spec.from_yaml(arch, workload, jinja_parse_data=parameters)


def figures(workload: str, **parameters: object) -> Figures:
    spec = load(workload, **parameters)
    with warnings.catch_warnings():
        warnings.simplefilter("error", SpecWarning)  # of indices beyond their ranks
        problem = spec.problem()
    written = {t.name for e in problem.einsums for t in e.tensors if t.output}
    macs, sizes = 0.0, {}
    for einsum, known in zip(spec.workload.einsums, problem.einsums, strict=True):
        weight = weight_of(einsum, known)
        if weight is None:
            continue
        macs += math.prod(known.bounds.values()) * known.n_instances
        if weight not in written and weight not in CACHES:
            values = math.prod(rank.reach(known.bounds) for rank in known.tensor[weight].ranks)
            sizes[weight] = values * known.n_instances
    return Figures(macs, sum(sizes.values()))


@pytest.mark.parametrize(
    ("workload", "parameters", "published", "tolerance"),
    [
        ("alexnet", {}, 724e6, 0.001),  # Sze et al. 2017, table II
        ("vgg16", {}, 15.5e9, 0.003),  # the same
        ("resnet50", {}, 4.09e9, 0.001),  # torchvision
        ("resnet50", {"STRIDE_IN": 1}, 3.86e9, 0.001),  # Sze et al.: 3.9 G
        ("mobilenet_v2", {}, 300e6, 0.003),  # Sandler et al. 2018, table 4
        ("vit_b16", {}, 17.56e9, 0.001),  # torchvision
        ("mixtral_8x7B", {"N_TOKENS": 1, "N_CACHED": 1}, 12.62e9, 0.001),  # all weights that a token uses, once
    ],
)
def test_multiply_accumulates(workload: str, parameters: dict[str, object], published: float, tolerance: float) -> None:
    assert figures(workload, **parameters).macs == pytest.approx(published, rel=tolerance)


@pytest.mark.parametrize(
    ("workload", "left_out", "published"),
    [
        # biases of all layers
        ("alexnet", 96 + 256 + 384 + 384 + 256 + 2 * 4096 + 1000, 60_965_224),
        ("vgg16", 64 * 2 + 128 * 2 + 256 * 3 + 512 * 6 + 2 * 4096 + 1000, 138_357_544),
        # scale and shift of each normalised channel, and the classifier's bias
        ("resnet50", 2 * 26_560 + 1000, 25_557_032),
        ("mobilenet_v2", 2 * 17_056 + 1000, 3_504_872),
        # biases; patch bias, class token, positions, norms, classifier's bias
        ("bert_base", 12 * (4 * 768 + 3072 + 768 + 4 * 768), 85_054_464),
        ("vit_b16", 12 * (4 * 768 + 3072 + 768 + 4 * 768) + 768 + 768 + 197 * 768 + 2 * 768 + 1000, 86_567_656),
        # embeddings, output and norms
        ("llama3_8B", 2 * 128_256 * 4096 + 65 * 4096, 8_030_261_248),
        ("llama3_70B", 2 * 128_256 * 8192 + 161 * 8192, 70_553_706_496),
        ("mixtral_8x7B", 2 * 32_000 * 4096 + 65 * 4096, 46_702_792_704),
        # embeddings, norms, biases of convolution and step
        ("mamba", 50_280 * 2560 + 2560 + 64 * (2560 + 2 * 5120), 2_768_345_600),
    ],
)
def test_parameters_to_the_last_one(workload: str, left_out: int, published: int) -> None:
    assert figures(workload).weights + left_out == published


def test_parameters_of_gpt3_and_of_deepseek() -> None:
    assert figures("gpt3_175B").weights + 50_257 * 12_288 + 2048 * 12_288 == pytest.approx(175e9, rel=0.005)
    dense = figures("deepseek_v3", LAYER="dense").weights
    embeddings = 2 * 129_280 * 7168
    assert figures("deepseek_v3").weights + dense + embeddings == pytest.approx(671e9, rel=0.001)
    used = figures("deepseek_v3", N_TOKENS=1, N_CACHED=4095).weights + dense + embeddings
    assert used == pytest.approx(37e9, rel=0.02)


def test_decoding_reads_the_cache_and_prefill_does_not() -> None:
    def tensors(**parameters: object) -> set[str]:
        return {t.name for e in load("llama3_8B", **parameters).problem().einsums for t in e.tensors}

    assert tensors() >= {"K", "V"}
    assert not tensors() & set(CACHES)
    assert tensors(N_TOKENS=1, N_CACHED=127) >= {"K_cache", "V_cache"}
    bounds = load("llama3_8B", N_TOKENS=1, N_CACHED=127).problem().einsum["QK"].bounds
    assert bounds == {"b": 1, "m": 1, "p": 128, "h": 8, "r": 4, "e": 128}
    latent = load("deepseek_v3", N_TOKENS=1, N_CACHED=127).problem()
    assert latent.einsum["QK"].tensor["C_cache"].variables == {"b", "p", "k"}
    assert not any(e.name == "K" for e in latent.einsums)


@pytest.mark.parametrize(
    ("workload", "layer", "einsums"),
    [
        ("vgg16", "conv3_2", ["conv3_2"]),
        ("alexnet", "conv2", ["conv2"]),
        ("resnet50", "s3b1", ["s3b1_conv1", "s3b1_conv2", "s3b1_conv3", "s3b1_project", "s3b1_add"]),
        ("mobilenet_v2", "b2", ["b2_expand", "b2_depthwise", "b2_project"]),
    ],
)
def test_one_layer(workload: str, layer: str, einsums: list[str]) -> None:
    assert [e.name for e in load(workload, LAYER=layer).problem().einsums] == einsums
    with pytest.raises(SpecError, match="the network has no layer conv99"):
        load(workload, LAYER="conv99")
    assert len(load(workload).workload.einsums) > len(einsums)


def test_one_layer_of_many_equal_ones() -> None:
    one, all_layers = figures("gpt3_175B", N_LAYERS=1), figures("gpt3_175B")
    assert (96 * one.macs, 96 * one.weights) == (all_layers.macs, all_layers.weights)


WORKLOADS = sorted(
    {"alexnet", "bert_base", "deepseek_v3", "gpt3_175B", "llama3_70B", "llama3_8B", "mamba", "mixtral_8x7B"}
    | {"mobilenet_v2", "resnet50", "vgg16", "vit_b16"}
)


# Of long networks a block that has all kinds of layers; whole they are resolved above.
BLOCKS = {"resnet50": {"LAYER": "s3b1"}, "mobilenet_v2": {"LAYER": "b3"}, "vgg16": {"LAYER": "conv5"}}


@pytest.mark.parametrize("workload", WORKLOADS)
def test_every_workload_resolves_on_every_architecture(workload: str) -> None:
    """Where slow tests are left out on one each, which are all of them together."""
    every = (*ARCHES, "simple", "tpu_v4i_like")
    first = WORKLOADS.index(workload)
    for arch in examples((every[first % len(every)],), every):
        assert load(workload, arch, **BLOCKS.get(workload, {})).problem().einsums


def peak(arch: str, compute: str = "MAC", **parameters: object) -> float:
    """Operations per second of all instances of a compute."""
    spec = load("gpt3_6.7B", arch)
    if parameters:
        spec.arch = ff.arch(arch, **parameters)
    (found,) = [c for c in spec.costs() if c.name == compute]
    rate = found.throughput["compute"]
    assert rate is not None
    return found.instances * rate


def memory_bits(arch: str, *names: str) -> float:
    """Bits of all instances of memories."""
    spec = load("gpt3_6.7B", arch)
    instances = {c.name: c.instances for c in spec.costs()}
    path = spec.problem().einsum["FFA"].paths[0]
    held: dict[str, frozenset[str]] = {}
    sizes = {}
    for index, name in enumerate(path.names):
        component = path.component(index, held)
        if component.holding is not None:
            held[name] = component.holding.must
            sizes[name] = component.size * instances[name]
    return sum(sizes[name] for name in names)


KIB = 8 * 1024


def test_peaks_are_the_published_ones() -> None:
    assert peak("eyeriss") == pytest.approx(33.6e9)  # Chen et al. 2017, table IV: 33.6 GMACs/s
    assert peak("simba") == pytest.approx(4.01e12 / 2, rel=0.002)  # Zimmer et al. 2019: 4.01 TOPS
    assert peak("simba", CHIPLETS=36, CLOCK=1.733e9) == pytest.approx(127.8e12 / 2, rel=0.001)  # the same
    assert peak("nvdla_like") == 2048 * 1e9
    assert peak("gemmini_like") == 256 * 1e9
    assert peak("edge_npu") == pytest.approx(4.096e12 / 2)  # Ethos-N77
    assert peak("gpu_like") == pytest.approx(312e12 / 2, rel=0.002)  # A100 whitepaper, table 4
    assert peak("gpu_like", "VectorUnit") == pytest.approx(19.5e12 / 2, rel=0.002)


def test_memories_are_the_published_ones() -> None:
    assert memory_bits("eyeriss", "GlobalBuffer") == 108 * KIB
    scratchpads = ("InputScratchpad", "WeightScratchpad", "SumScratchpad")
    assert memory_bits("eyeriss", *scratchpads) == 168 * (12 + 224 + 24) * 16
    own = memory_bits("simba", "GlobalBuffer", "InputBuffer", "WeightBuffer", "AccumulationBuffer")
    assert own == (64 + 16 * (8 + 32 + 3)) * KIB
    assert memory_bits("nvdla_like", "ConvolutionBuffer") == 512 * KIB
    assert memory_bits("gemmini_like", "Scratchpad", "Accumulator") == (256 + 64) * KIB
    assert memory_bits("edge_npu", "SRAM") == 1024 * KIB
    assert memory_bits("gpu_like", "L2") == 40 * 1024 * KIB
    assert memory_bits("gpu_like", "SharedMemory") == 108 * 192 * KIB


def best(spec: Spec, metric: ff.mapper.FFM.Metrics) -> tuple[float, float]:
    spec.mapper.ffm.max_fused_loops = 1
    spec.mapper.ffm.metrics = metric
    found = ff.map_workload_to_arch(spec, n_jobs=1)
    return found.energy(), found.latency()


@pytest.mark.parametrize("arch", ARCHES)
def test_small_problems_map_on_every_architecture(arch: str) -> None:
    spec = load("matmuls", arch, M=16, KN=16)
    energy, latency = best(spec, ff.mapper.FFM.Metrics.ENERGY)
    assert math.isfinite(energy)
    assert energy > 0
    assert latency >= 2 * 16**3 / peak(arch) * (1 - 1e-9)


def test_traffic_of_a_buffer_that_holds_all_is_each_value_once() -> None:
    energy, _ = best(load("matmuls", "two_level", M=16, KN=16), ff.mapper.FFM.Metrics.ENERGY)
    assert energy == 4 * 16 * 16 * 8  # T0, W0, W1 and T2; T1 stays
    less, _ = best(load("matmuls", "two_level", M=16, KN=16, BUFFER_SIZE="64 B"), ff.mapper.FFM.Metrics.ENERGY)
    assert less > energy


@pytest.mark.parametrize(
    ("workload", "parameters"),
    [
        ("resnet50", {"IMAGE": 32, "LAYER": "s2b2"}),
        ("mobilenet_v2", {"IMAGE": 32, "LAYER": "b3"}),
        ("llama3_8B", {"N_TOKENS": 1, "N_CACHED": 31, "N_LAYERS": 1}),
    ],
)
def test_layers_map(workload: str, parameters: dict[str, object]) -> None:
    spec = load(workload, "simple", **parameters)
    energy, latency = best(spec, ff.mapper.FFM.Metrics.LATENCY)
    operations = sum(math.prod(e.bounds.values()) for e in spec.problem().einsums if not e.is_copy)
    assert latency == pytest.approx(operations)  # one MAC, one operation per second
    assert energy > 0

"""The peer's example files load and resolve unchanged, and so does every conformance spec."""

from __future__ import annotations

import importlib.util
import math
from pathlib import Path
from types import ModuleType

import pytest

from ffcore.errors import SpecError
from ffcore.plugin.interfaces import ComponentCost, ComponentQuery
from ffcore.spec import Einsum, Spec, TensorAccess
from ffcore.spec.problem import Problem


def _examples() -> ModuleType:
    """The module beside this one (the tests are no package)."""
    place = Path(__file__).with_name("shared_examples.py")
    found = importlib.util.spec_from_file_location("shared_examples", place)
    assert found is not None
    assert found.loader is not None
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


examples = _examples()
PEER: Path = examples.PEER
CONFORMANCE: Path = examples.CONFORMANCE

PREFILL = {"BATCH_SIZE": 2, "DECODE": False, "N_NEW_TOKENS": 2048}
DECODE = {"BATCH_SIZE": 2, "DECODE": True, "N_NEW_TOKENS": 1, "N_CACHED_TOKENS": 2047}
GQA = {"ATTENTION_TYPE": "grouped_query"}
# This file calls ceil() and max() in Jinja, which our templates don't define: they are given as parameters.
FUNCTIONS = {"ceil": math.ceil, "max": max}
CHUNKED = {"ATTENTION_TYPE": "chunked_local", "CHUNK_SIZE": 1024, **FUNCTIONS}
SIZES = {"N_HEADS": 4, "N_EMB_PER_HEAD": 8, "N_HIDDEN_DIMS": 32, "N_FF_DIMS": 64, "N_SHARED_FF_DIMS": 16}
EXPERTS = {"N_EXPERTS": 8, "N_EXPERTS_PER_TOKEN": 2, "N_Q_HEADS_PER_KV_HEAD": 2}
LATENT = {"N_V_DIMS": 8, "N_Q_LATENT": 16, "N_KV_LATENT": 16}
PARTS = {**SIZES, **EXPERTS, **LATENT, "CHUNK_SIZE": 1024, **FUNCTIONS}

# workload -> (Jinja parameters, number of Einsums)
WORKLOADS = {
    "basic/matmuls": ({"N_EINSUMS": 3}, 3),
    "basic/three_matmuls_annotated": ({}, 3),
    "cnns/mobilenet/mobilenet_28": ({}, 6),
    "transformers/gpt/gpt3_6.7B": (PREFILL, 10),
    "transformers/gpt/gpt3_175B": (DECODE, 10),
    "transformers/llama/llama3_8B": (PREFILL, 12),
    "transformers/llama/llama4_maverick": ({**PREFILL, **GQA}, 19),
    "transformers/llama/llama4_scout": ({**PREFILL, **CHUNKED}, 20),
    "transformers/_attention_decode_types/multi_head": ({**PREFILL, **PARTS}, 8),
    "transformers/_attention_decode_types/grouped_query": ({**DECODE, **PARTS}, 8),
    "transformers/_attention_decode_types/grouped_query_chunked": ({**PREFILL, **PARTS}, 9),
    "transformers/_feedforward_types/mixture_of_experts": ({**PREFILL, **PARTS}, 6),
    "../misc/gpt3_6.7B_verbose_annotated": ({}, 10),
}

# Parts that read the output of an attention layer, and their number of Einsums.
FEEDFORWARD = {"dense_two_layer": 2, "gated_linear_unit": 4, "mixture_of_experts_shared": 11}


def load(arch: str, workload: str, data: dict[str, object]) -> Spec:
    files = PEER / "arches" / f"{arch}.yaml", PEER / "workloads" / f"{workload}.yaml"
    return Spec.from_yaml(*files, jinja_parse_data=data, allowed_dirs=[PEER])


@examples.needs_peer_examples
@pytest.mark.parametrize("workload", WORKLOADS)
def test_peer_workload_resolves_on_the_tpu(workload: str) -> None:
    data, einsums = WORKLOADS[workload]
    assert len(load("tpu_v4i", workload, dict(data)).problem().einsums) == einsums


@examples.needs_peer_examples
@pytest.mark.parametrize("part", FEEDFORWARD)
def test_peer_feedforward_part_resolves_behind_an_attention_layer(part: str) -> None:
    spec = load("tpu_v4i", f"transformers/_feedforward_types/{part}", {**PREFILL, **PARTS})
    with pytest.raises(SpecError, match=r"rename input of Einsum .* 0 members, expected 1"):
        spec.problem()  # on its own there is no intermediate to be the input
    accesses = [TensorAccess(name="AV", projection=["b", "m", "g"]), TensorAccess(name="Z", projection=["b", "m", "g"])]
    accesses[1].output = True
    spec.workload.einsums.insert(0, Einsum(name="Z", tensor_accesses=accesses))
    assert len(spec.problem().einsums) == FEEDFORWARD[part] + 1


@examples.needs_peer_examples
@pytest.mark.parametrize("arch", ["simple", "snowcat", "nvdla", "tpu_v4i"])
def test_peer_architecture_resolves(arch: str) -> None:
    problem = load(arch, "basic/matmuls", {"N_EINSUMS": 2}).problem()
    assert [e.paths[0].names[-1] for e in problem.einsums] == ["MAC", "MAC"]


@examples.needs_peer_examples
def test_every_peer_file_is_covered() -> None:
    parts = {"_gpt3", "_llama3", "_llama4", "_max_tokens_assert", "_renames_default"}  # included by others
    special = {"matvecs", "multi_head_latent", "eyeriss", "simple", "snowcat", "nvdla", "tpu_v4i"}  # tests of their own
    names = {p.stem for p in PEER.rglob("*.yaml") if p.parent.name != "mappings"}
    assert names - parts - special == {Path(w).name for w in WORKLOADS} | FEEDFORWARD.keys()


@examples.needs_peer_examples
def test_matvecs_have_no_renames() -> None:
    problem = load("simple", "basic/matvecs", {}).problem()
    assert [dict(e.bounds) for e in problem.einsums] == [{"na": 4, "ny": 3}, {"ny": 3, "nz": 4}]
    with pytest.raises(SpecError, match="the name 'weight' is undefined"):
        load("tpu_v4i", "basic/matvecs", {}).problem()


@examples.needs_peer_examples
@pytest.mark.parametrize("absorbed", [True, False])
def test_latent_attention(absorbed: bool) -> None:
    data = {**PREFILL, **PARTS, "ABSORBED": absorbed}
    load("tpu_v4i", "transformers/_attention_decode_types/multi_head_latent", data).problem()


@examples.needs_peer_examples
def test_convolution_has_partially_relevant_variables() -> None:
    problem = load("tpu_v4i", "cnns/mobilenet/mobilenet_28", {}).problem()
    einsum = problem.einsum["Depthwise1"]
    assert dict(einsum.bounds) == {"p2": 28, "r1": 3, "q2": 28, "s1": 3, "t1": 192, "b": 1}
    assert einsum.tensor["TA1"].partially_relevant == {"p2", "r1", "q2", "s1"}


@examples.needs_peer_examples
def test_costs_that_need_a_model_are_named() -> None:
    spec = load("eyeriss", "basic/matmuls", {"N_EINSUMS": 2})
    spec.validate()
    with pytest.raises(SpecError) as caught:
        spec.problem()
    missing = "\n".join(str(p) for p in caught.value.problems)
    for component in ("MainMemory", "GlobalBuffer", "InputScratchpad", "WeightScratchpad", "OutputScratchpad", "MAC"):
        assert f"{component} (component_class " in missing
    assert "throughput" not in next(str(p) for p in caught.value.problems if "GlobalBuffer (" in str(p))


@examples.needs_peer_examples
def test_a_cost_model_supplies_them() -> None:
    asked: list[ComponentQuery] = []

    def model(query: ComponentQuery) -> ComponentCost:
        asked.append(query)
        costs = dict.fromkeys(query.actions, 2.0)
        return ComponentCost(energy=costs, throughput=costs, area=1.0, leak_power=3.0)

    spec = load("eyeriss", "basic/matmuls", {"N_EINSUMS": 2})
    einsum = spec.problem(model).einsums[0]
    buffer = einsum.paths[0].component(1, {"MainMemory": frozenset()})
    assert [a.energy for a in buffer.actions] == [2.0, 2.0]
    assert [a.values_per_action["T0"] for a in buffer.actions] == [8.0, 8.0]  # 64 bits of 8-bit values
    assert buffer.latency == ({"read": 1 / 32 / 200e6, "write": 1 / 32 / 200e6},)
    power = {leak.component: leak.power for leak in einsum.leaks}
    assert power["GlobalBuffer"] == 3.0
    assert power["MAC"] == 3.0 * 14 * 12
    query = next(q for q in asked if q.name == "GlobalBuffer")
    assert query.component_class == "SmartBufferSRAM"
    assert query.attributes["n_banks"] == 32
    assert query.attributes["tech_node"] == 65e-9
    assert query.attributes["size"] == 1024 * 1024
    assert len(asked) == 6  # each component once, not once for each Einsum


@examples.needs_peer_examples
def test_dummies_cost_nothing() -> None:
    einsum = load("snowcat", "basic/matmuls", {"N_EINSUMS": 1}).problem().einsums[0]
    buffer = einsum.paths[0].component(1, {"MainMemory": frozenset()})
    assert [a.energy for a in buffer.actions] == [0, 0]
    assert buffer.latency == ()


def conformance_cases() -> list[str]:
    return sorted(p.parent.name for p in CONFORMANCE.glob("*/arch.yaml"))


@pytest.mark.slow  # tests/conformance maps them all
@examples.needs_conformance
def test_every_conformance_spec_resolves() -> None:
    cases = conformance_cases()
    assert cases
    for case in cases:
        problem = Spec.from_yaml(CONFORMANCE / case / "arch.yaml", CONFORMANCE / case / "workload.yaml").problem()
        assert isinstance(problem, Problem)
        for einsum in problem.einsums:
            assert len(einsum.paths) == 1
            assert all(bound >= 1 for bound in einsum.bounds.values())

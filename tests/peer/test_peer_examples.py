"""The peer's example specs render, validate and, where their costs are given, map and evaluate, unchanged.

That each file resolves alone is tested in tests/spec/test_examples.py.
"""

from __future__ import annotations

import shutil
from itertools import product
from pathlib import Path

import pytest

import ffcore as ff
from ffcore.mapping.dialect import tree_from_node
from ffcore.plugin.interfaces import ComponentCost, ComponentQuery
from ffcore.render import Rendering, render_arch, render_mapping, render_workload
from ffcore.spec.source import load_sources
from tests.cli.process import ff as ff_process
from tests.spec.test_examples import FEEDFORWARD, PARTS, PEER, PREFILL, WORKLOADS, examples

pytestmark = examples.needs_peer_examples

ARCHES = ("simple", "snowcat", "nvdla", "tpu_v4i", "eyeriss")
PRICED = tuple(a for a in ARCHES if a != "eyeriss")  # which leaves its costs to a cost model
MAPPINGS = {  # mapping -> workload
    "fused_matmuls_to_simple": "matmuls",
    "unfused_matmuls_to_simple": "matmuls",
    "fused_matvecs_to_simple_tiled": "matvecs",
    "fused_matvecs_to_simple_untiled": "matvecs",
    "unfused_matvecs_to_simple": "matvecs",
}
SMALL = {"N_EINSUMS": 2, "M": 8, "KN": 8}
LATENT = "transformers/_attention_decode_types/multi_head_latent"

ALL_WORKLOADS: dict[str, dict[str, object]] = {
    **{name: dict(data) for name, (data, _) in WORKLOADS.items()},
    "basic/matvecs": {},
    LATENT: {**PREFILL, **PARTS, "ABSORBED": True},
    **{f"transformers/_feedforward_types/{part}": {**PREFILL, **PARTS} for part in FEEDFORWARD},
}


def load(arch: str, workload: str, *more: str, **data: object) -> ff.Spec:
    files = [PEER / "arches" / f"{arch}.yaml", PEER / "workloads" / f"{workload}.yaml", *(PEER / m for m in more)]
    return ff.Spec.from_yaml(*files, jinja_parse_data=data, allowed_dirs=[PEER])


def check_drawn(picture: Rendering, *words: str, svg: bool) -> None:
    """Text and DOT name everything in ``words``; and, where Graphviz is there, so does the SVG."""
    drawn = [picture.text, picture.draw("dot").decode()]
    if svg and shutil.which("dot"):
        drawn.append(picture.draw("svg").decode())
    for text in drawn:
        assert not [word for word in words if word not in text]


def test_no_file_is_left_out() -> None:
    assert {p.stem for p in (PEER / "arches").glob("*.yaml")} == set(ARCHES)
    assert {p.stem for p in (PEER / "mappings").glob("*.yaml")} == set(MAPPINGS)


@pytest.mark.parametrize(
    ("arch", "workload"),
    [*product(ARCHES, ("transformers/gpt/gpt3_6.7B", "cnns/mobilenet/mobilenet_28")), ("simple", "basic/matvecs")],
)
def test_every_architecture_validates_with_suitable_workloads(arch: str, workload: str) -> None:
    load(arch, workload, **ALL_WORKLOADS[workload]).validate()


@pytest.mark.parametrize("arch", ARCHES)
def test_every_architecture_renders(arch: str) -> None:
    spec = ff.Spec.from_yaml(PEER / "arches" / f"{arch}.yaml")
    check_drawn(render_arch(spec), *(node.name for node in spec.arch.nodes), svg=True)


@pytest.mark.parametrize("workload", ALL_WORKLOADS)
def test_every_workload_renders_without_an_architecture(workload: str) -> None:
    file = PEER / "workloads" / f"{workload}.yaml"
    spec = ff.Spec.from_yaml(file, jinja_parse_data=ALL_WORKLOADS[workload], allowed_dirs=[PEER])
    einsums = [e.name for e in spec.workload.einsums]
    assert einsums
    check_drawn(render_workload(spec), *einsums, svg=workload.startswith("basic/mat"))


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_every_mapping_renders_alone_and_with_its_problem(mapping: str) -> None:
    file = PEER / "mappings" / f"{mapping}.yaml"
    section = load_sources([file], SMALL).get("mapping")
    assert section is not None
    tree = tree_from_node(section)
    words = ("MainMemory", "GlobalBuffer", "MAC", "Matmul0" if "matmuls" in mapping else "Z")
    check_drawn(render_mapping(tree), *words, svg=False)
    spec = load("simple", f"basic/{MAPPINGS[mapping]}", f"mappings/{mapping}.yaml", **SMALL)
    check_drawn(render_mapping(tree, spec.problem()), *words, svg=True)


def best(spec: ff.Spec) -> tuple[float, float]:
    """Least energy and least latency over the Pareto set."""
    found = ff.map_workload_to_arch(spec, n_jobs=1)
    return min(m.energy() for m in found), min(m.latency() for m in found)


@pytest.mark.parametrize("mapping", MAPPINGS)
def test_every_mapping_evaluates_and_none_is_better_than_what_is_found(mapping: str) -> None:
    spec = load("simple", f"basic/{MAPPINGS[mapping]}", f"mappings/{mapping}.yaml", **SMALL)
    by_hand = ff.evaluate_mapping(spec)
    energy, latency = best(spec)
    assert by_hand.energy() >= energy * (1 - 1e-12)
    assert by_hand.latency() >= latency * (1 - 1e-12)
    operations = 2 * 8**3 if MAPPINGS[mapping] == "matmuls" else 24
    assert by_hand.latency() == operations  # one a second; memories take no time


def test_fusion_saves_what_the_intermediate_costs() -> None:
    def energy(mapping: str, workload: str) -> float:
        return ff.evaluate_mapping(load("simple", f"basic/{workload}", f"mappings/{mapping}.yaml", **SMALL)).energy()

    saved = energy("unfused_matmuls_to_simple", "matmuls") - energy("fused_matmuls_to_simple", "matmuls")
    # 64 values of 8 bits at 1 J a bit: read from the buffer and written to main memory, and all the way back.
    assert saved == 4 * 64 * 8
    assert energy("unfused_matvecs_to_simple", "matvecs") > energy("fused_matvecs_to_simple_untiled", "matvecs")


@pytest.mark.parametrize("arch", PRICED)
def test_priced_architectures_map_a_fused_chain(arch: str) -> None:
    # In `simple` main memory costs as little as the buffer, unless told otherwise.
    spec = load(arch, "basic/matmuls", N_EINSUMS=2, M=64, KN=64, MainMemoryEnergy=10)
    spec.mapper.ffm.max_fused_loops = 1
    energy, latency = best(spec)
    spec.set("arch.nodes.MainMemory.tensors.keep", "All")  # nothing fused
    unfused_energy, unfused_latency = best(spec)
    assert 0 < energy < unfused_energy
    assert latency <= unfused_latency
    if arch == "snowcat":  # counts accesses of main memory only, at 1 J a bit: each value of T0, W0, W1, T2 once
        assert energy == 4 * 64 * 64 * 8
    else:
        assert latency > 0


def test_eyeriss_maps_with_a_cost_model() -> None:
    spec = load("eyeriss", "basic/matmuls", N_EINSUMS=1, M=28, KN=28)
    problem = spec.problem(_price)
    explorer, joiner = ff.plugin.get("explorer", "default"), ff.plugin.get("joiner", "ffm")
    assert joiner.join(problem, explorer.explore(problem))


def _price(query: ComponentQuery) -> ComponentCost:
    return ComponentCost(dict.fromkeys(query.actions, 1e-12), dict.fromkeys(query.actions, 1e9), 0.0, 0.0)


def test_convolutions_map() -> None:
    spec = load("nvdla", "cnns/mobilenet/mobilenet_28", **ALL_WORKLOADS["cnns/mobilenet/mobilenet_28"])
    spec.mapper.ffm.max_fused_loops = 0
    energy, latency = best(spec)
    assert 0 < energy < 1
    assert 0 < latency < 1


def test_commands_take_the_files_as_they_are(tmp_path: Path) -> None:
    arch, workload = PEER / "arches" / "tpu_v4i.yaml", PEER / "workloads" / "transformers" / "gpt" / "gpt3_6.7B.yaml"
    sets = [f"--set={name}={value}" for name, value in PREFILL.items()]
    done = ff_process("validate", arch, workload, *sets, "--allow-dir", PEER, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("valid: 10 Einsums, ")

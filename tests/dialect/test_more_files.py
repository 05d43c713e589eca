"""Every example file of the field's reference tool loads, and maps at small sizes."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path

import pytest

import ffcore as ff
from ffcore.errors import SpecError, SpecWarning
from ffcore.plugin.interfaces import ComponentCost, ComponentQuery

MORE = Path(__file__).resolve().parents[3] / "shared" / "peer_more"
pytestmark = pytest.mark.skipif(not MORE.is_dir(), reason=f"no example files at {MORE}")

SHORT = {"BATCH_SIZE": 1, "N_NEW_TOKENS": 16, "MAX_N_TOKENS": 64, "N_EINSUMS": 2, "M": 8, "KN": 8}
# Jinja has no ceil() and max(), there neither: the file that calls them is given them.
PARTS: Mapping[str, object] = {
    **SHORT,
    **{"N_HEADS": 4, "N_Q_HEADS": 4, "N_EMB_PER_HEAD": 8, "N_HIDDEN_DIMS": 32, "N_FF_DIMS": 64, "N_SHARED_FF_DIMS": 16},
    **{"N_EXPERTS": 8, "N_EXPERTS_PER_TOKEN": 2, "N_Q_HEADS_PER_KV_HEAD": 2, "N_V_DIMS": 8, "N_Q_LATENT": 16},
    **{"N_KV_LATENT": 16, "CHUNK_SIZE": 8, "ATTENTION_TYPE": "grouped_query", "ceil": math.ceil, "max": max},
    **{"N_MLA_LAYERS": 1, "DECODE": False, "N_SHARED_EXPERTS": 1, "N_ROPE_DIMS": 8},
}
# Files that are no spec, and one of an older format, which the tool itself refuses.
NO_SPEC = ("mobilenet_various_separate", "_renames_default", "_max_tokens_assert", "_include")


def files(folder: str) -> list[str]:
    if not MORE.is_dir():
        return []
    found = sorted((MORE / folder).glob("**/*.yaml"))
    return [str(p.relative_to(MORE)) for p in found if p.stem not in NO_SPEC and p.parent.name != "memory_cells"]


WORKLOADS = files("workloads")
# Parts of others, whose renames fit only there.
PART = [name for name in WORKLOADS if "_feedforward_types" in name]
BIG = ("mobilebert", "dpt_large", "msft_phi_1_5", "gpt2_medium", "densenet201")
IN_MEMORY = [f for f in files("arches") if "compute_in_memory" in f]
ARCHES = [f for f in files("arches") if f not in IN_MEMORY]


def load(*names: str) -> ff.Spec:
    return ff.Spec.from_yaml([MORE / name for name in names], jinja_parse_data=PARTS, allowed_dirs=[MORE])


def test_there_are_all_of_them() -> None:
    assert (len(WORKLOADS), len(IN_MEMORY), len(ARCHES)) == (39, 9, 11)
    left = {p.relative_to(MORE) for p in MORE.glob("**/*.yaml")} - {Path(n) for n in (*WORKLOADS, *IN_MEMORY, *ARCHES)}
    cells = {p for p in left if p.parent.name == "memory_cells"}  # which architectures include
    assert len(cells) == 11
    assert sorted(p.stem for p in left - cells) == sorted(NO_SPEC)


def price(query: ComponentQuery) -> ComponentCost:
    return ComponentCost(dict.fromkeys(query.actions, 1.0), dict.fromkeys(query.actions, 1.0), 1.0, 0.0)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if Path(n).stem in BIG else []) for n in WORKLOADS]
)
def test_workload_loads(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecWarning)
        spec = load("arches/simple.yaml", name)
        assert spec.workload.einsums
        if name not in PART:
            assert len(spec.problem().einsums) == len(spec.workload.einsums)


@pytest.mark.parametrize(
    "name", [pytest.param(n, marks=[pytest.mark.slow] if n.endswith("nvdla.yaml") else []) for n in ARCHES]
)
def test_arch_maps(name: str) -> None:
    spec = load(name, "workloads/basic/matmuls.yaml")
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY
    # Their numbers a component model gives: ``component_costs`` maps them, in its tests, with a table of the tool's.
    if name.endswith(("eyeriss.yaml", "simba.yaml")):
        assert spec.problem(cost_model=price).einsums
        with pytest.raises(SpecError, match="install a cost model that knows the class"):
            ff.map_workload_to_arch(spec, n_jobs=1)
        return
    assert ff.map_workload_to_arch(spec, n_jobs=1).energy() > 0


@pytest.mark.parametrize("name", IN_MEMORY)
def test_compute_in_memory_loads_but_for_what_needs_code(name: str) -> None:
    with pytest.warns(SpecWarning, match="no part of a spec"):
        spec = load(name)
    assert len(spec.arch.nodes) > 5
    with pytest.raises(SpecError, match=r"undefined|unknown or not allowed|no attribute"):
        spec.problem(cost_model=price)


@pytest.mark.slow
@pytest.mark.parametrize("name", [n for n in WORKLOADS if "compute_in_memory" not in n and n not in PART])
def test_workload_maps(name: str) -> None:
    spec = load("arches/simple.yaml", name)
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY
    spec.mapper.ffm.max_fused_loops = 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecWarning)
        assert ff.map_workload_to_arch(spec, n_jobs=1).energy() > 0


@pytest.mark.parametrize("name", [n for n in WORKLOADS if "compute_in_memory" in n])
def test_first_layer_of_a_whole_network_maps(name: str) -> None:
    """Whole networks, of sizes that are part of the file: the first of 8 to 409 Einsums."""
    spec = load("arches/simple.yaml", name)
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY
    spec.mapper.ffm.max_fused_loops = 1
    first = spec.workload.einsums[0]
    spec.workload.einsums = [first]
    found = ff.map_workload_to_arch(spec, n_jobs=1)
    assert list(found.energy(per_einsum=True)) == [first.name]
    assert found.energy() > 0

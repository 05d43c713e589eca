"""The published notebook's calls, in its order, at a small size."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import ffcore as ff


@pytest.fixture
def _as_before() -> Any:
    yield
    ff.set_n_parallel_jobs(None, print_message=False)


@pytest.mark.slow
@pytest.mark.usefixtures("_as_before")
def test_first_cell_to_last(tmp_path: Path) -> None:
    ff.set_n_parallel_jobs(2, print_message=True)
    spec = ff.Spec.from_yaml(
        "tpu_v4i_like_constrained", "gpt3_6.7B", jinja_parse_data={"BATCH_SIZE": 1, "N_TOKENS": 64}
    )
    assert "QK_softmax" in spec.workload.render().text
    assert "GlobalBuffer" in spec.arch.render().text
    spec.mapper.ffm.metrics = ff.mapper.FFM.Metrics.LATENCY | ff.mapper.FFM.Metrics.ENERGY
    spec.mapper.ffm.max_fused_loops = 1

    pmappings = ff.mapper.FFM.make_pmappings(spec, can_combine_multiple_runs=False, cache_dir=tmp_path)
    counts = [
        pmappings.pareto_optimal_pmappings(),
        pmappings.valid_pmappings(),
        pmappings.total_pmappings(),
    ]
    assert counts == sorted(counts)
    assert pmappings.evaluated_pmappings() > 0
    per_einsum = pmappings.total_pmappings(per_einsum=True)
    assert sum(per_einsum.values()) == counts[-1]
    assert list(per_einsum) == [e.name for e in spec.workload.einsums]

    # without fusion first: an upper bound
    def is_unfused(group: Any) -> bool:
        return all(len(t.loops) == 0 and t.memory == "MainMemory" for t in group.compatibility.tensors)

    unfused = ff.mapper.FFM.join_pmappings(spec, pmappings.filter(is_unfused))
    keep_all = ff.Spec.from_yaml("tpu_v4i_like_constrained", "gpt3_6.7B", BATCH_SIZE=1, N_TOKENS=64)
    keep_all.arch.nodes["MainMemory"].constraints.tensors.keep = "All()"
    keep_all.mapper.ffm.metrics = ff.mapper.FFM.Metrics.ENERGY_DELAY_PRODUCT
    (best_unfused,) = ff.map_workload_to_arch(keep_all)
    bound = min(e * t for e, t in zip(_list(unfused.energy()), _list(unfused.latency()), strict=True))
    assert bound == pytest.approx(best_unfused.energy() * best_unfused.latency())

    mappings = ff.mapper.FFM.join_pmappings(
        spec,
        pmappings,
        pmapping_row_filter_function=lambda df: df[df["Total<SEP>energy"] * df["Total<SEP>latency"] < bound],
    )
    assert len(mappings) >= 1
    best = mappings[0]
    total = best.access("Total").to_dict()
    assert total["energy"] * total["latency"] < bound
    for name in pmappings.einsum2pmappings:
        energies = [g.mappings.data["Total<SEP>energy"].min() for g in pmappings.einsum2pmappings[name]]
        assert min(energies) <= best.energy(per_einsum=True)[name] * (1 + 1e-9)

    picture = best.render()
    assert "compute QK_softmax on ScalarUnit" in picture.text
    per_compute = best.per_compute().access("Total").to_dict()
    computes = sum(mappings.table.computes.values())
    assert per_compute["energy"] == pytest.approx(total["energy"] / computes)
    contributors = best.access("energy").drop("Total").sum(keep_indices=[1]).to_dict()
    assert sum(contributors.values()) == pytest.approx(total["energy"])
    assert max(contributors, key=contributors.__getitem__) in {"MainMemory", "MAC", "GlobalBuffer", "LocalBuffer"}

    whole = ff.mapper.FFM.join_pmappings(spec, pmappings)
    assert [whole.energy(), whole.latency()] == [mappings.energy(), mappings.latency()]


def _list(value: Any) -> list[float]:
    return value if isinstance(value, list) else [value]

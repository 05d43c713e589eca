"""The published result of fusion without tiled fusion comes from a mapping that does not fit.

``published_untiled.yaml`` keeps V, K, Q, AV and Z in GlobalBuffer, whole. Its energy and latency give the published
energy-delay product to the last digits. While Q runs, V and K (64 MiB each) are both still needed and Q's own
reservations take 72 MiB: 200 of 128 MiB (semantics, section 4: every shared tensor whose producer comes before and
whose last consumer comes after counts). So the ladder's upper bound for this row cannot be met; the optimum of what
fits can.
"""

from __future__ import annotations

from pathlib import Path

import pytest

import ffcore as ff
from demo.ladder import LADDER, TOLERANCE
from ffcore import plugin
from ffcore.mapping.check import check_mapping
from ffcore.mapping.convert import tree_to_nests
from ffcore.mapping.dialect import from_yaml
from tests.api.specs import with_mapping

YAML = (Path(__file__).parent / "published_untiled.yaml").read_text()
MIB = 8 * 2**20
(RUNG,) = [rung for rung in LADDER if rung.name == "untiled"]


def test_the_published_mapping_gives_the_published_number_and_overflows() -> None:
    spec = ff.Spec.from_yaml("tpu_v4i_like_constrained", "gpt3_6.7B", BATCH_SIZE=4, N_TOKENS=4096)
    problem = spec.problem()
    tree = from_yaml(YAML)
    check_mapping(problem, tree)
    result = plugin.get("model", "default").evaluate(problem, tree_to_nests(problem, tree))
    assert result.total_energy * result.total_latency == pytest.approx(RUNG.published, rel=1e-12)
    assert not result.fits
    full = {einsum: bits / MIB for (einsum, memory), bits in result.usage.items() if memory == "GlobalBuffer"}
    assert full["Q"] == 64 + 64 + 72
    assert RUNG.overflow == "published overflows GlobalBuffer: 200 of 128 MiB"
    assert [einsum for einsum, mib in full.items() if mib > 128] == ["K", "Q", "QK"]


def test_evaluating_it_says_so(tmp_path: Path) -> None:
    files = ("tpu_v4i_like_constrained", "gpt3_6.7B")
    spec = with_mapping(tmp_path, YAML, *files, BATCH_SIZE=4, N_TOKENS=4096)
    with pytest.raises(ff.NoValidMappingError, match="GlobalBuffer is too small: while Einsum Q runs"):
        ff.evaluate_mapping(spec)


def test_the_optimum_of_what_fits_is_reached(tmp_path: Path) -> None:
    spec = ff.Spec.from_yaml("tpu_v4i_like_constrained", "gpt3_6.7B", BATCH_SIZE=4, N_TOKENS=4096)
    RUNG.change(spec)
    spec.mapper.ffm.metrics = "energy_delay_product"
    (best,) = ff.map_workload_to_arch(spec)
    assert best.energy() * best.latency() == pytest.approx(RUNG.fitting, rel=TOLERANCE)
    # ... and is a mapping that fits when read back
    files = ("tpu_v4i_like_constrained", "gpt3_6.7B")
    again = ff.evaluate_mapping(with_mapping(tmp_path, best.to_yaml(), *files, BATCH_SIZE=4, N_TOKENS=4096))
    assert (again.energy(), again.latency()) == (best.energy(), best.latency())

"""A component may keep a tensor wider or narrower than others do: its own width is what takes room."""

from __future__ import annotations

import pytest

from ffcore.api import map_workload_to_arch
from ffcore.errors import NoValidMappingError
from ffcore.spec import Spec
from tests.oracle.compare import fast, reference, same


def untiled(width: str | None, size: int) -> Spec:
    """T1[m 8, n1 4] of 8 bits a value stays whole in a buffer of ``size`` bits, all else is in MainMemory."""
    data = {"N_EINSUMS": 2, "M": 8, "KN": 4, "GlobalBufferSize": size}
    spec = Spec.from_yaml("simple", "matmuls", jinja_parse_data=data)
    spec.mapper.ffm.max_fused_loops = 0
    spec.arch.nodes["MainMemory"].tensors.may_keep = "Nothing"
    spec.arch.nodes["GlobalBuffer"].tensors.may_keep = "Nothing"
    if width is not None:
        spec.arch.nodes["GlobalBuffer"].bits_per_value = {"All": width}
    return spec


@pytest.mark.parametrize(("width", "bits"), [(None, 32 * 8), ("16", 32 * 16), ("T1.bits_per_value / 2", 32 * 4)])
def test_the_smallest_buffer_that_will_do(width: str | None, bits: int) -> None:
    (evaluation,) = map_workload_to_arch(untiled(width, bits), n_jobs=1).evaluations
    assert evaluation.peak_bits("GlobalBuffer") == bits
    problem = untiled(width, bits).problem()
    assert same(fast(problem), reference(problem))
    with pytest.raises(NoValidMappingError, match="GlobalBuffer"):
        map_workload_to_arch(untiled(width, bits - 1), n_jobs=1)
    assert reference(untiled(width, bits - 1).problem()) == []


def test_traffic_counts_the_own_width_too() -> None:
    """At one bit per action a value of 16 bits is 16 actions: T1 is written 128 times and read 96 times to go on
    with its partial sums, and read 128 times by the second matmul."""
    (plain,) = map_workload_to_arch(untiled(None, 10_000), n_jobs=1).evaluations
    (wide,) = map_workload_to_arch(untiled("16", 10_000), n_jobs=1).evaluations
    assert wide.total_energy - plain.total_energy == (128 + 96 + 128) * 8

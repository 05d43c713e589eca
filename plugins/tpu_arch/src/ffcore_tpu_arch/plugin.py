"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import ArchRecord, hookimpl
from ffcore_tpu_arch.parameters import CONSTRAINED, UNCONSTRAINED, parameter_records


@hookimpl
def ffcore_arches() -> Iterable[ArchRecord]:
    """The TPU-like architectures."""
    yield ArchRecord(
        "tpu_v4i_like",
        "TPU-like: main memory, global buffer, cores with a local buffer, a systolic array and a scalar unit",
        "ffcore_tpu_arch.model:tpu_v4i_like",
        parameters=parameter_records(UNCONSTRAINED),
    )
    yield ArchRecord(
        "tpu_v4i_like_constrained",
        "the same, cores splitting no rank variable of a weight, copies passing through the scalar unit",
        "ffcore_tpu_arch.model:tpu_v4i_like_constrained",
        parameters=parameter_records(CONSTRAINED),
    )

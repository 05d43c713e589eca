"""What this distribution registers."""

from __future__ import annotations

from collections.abc import Iterable

from ffcore.plugin import ExecutorRecord, hookimpl


@hookimpl
def ffcore_executors() -> Iterable[ExecutorRecord]:
    """Workers of a Dask cluster."""
    yield ExecutorRecord(
        "dask",
        "workers of a Dask cluster: a local one, or that of a scheduler",
        "ffcore_dask_executor.connect:dask",
        trusted=["scheduler", "scheduler_file", "tls_ca_file", "tls_cert", "tls_key"],
        wraps=["distributed.client:Client"],
        wrapper="ffcore_dask_executor.connect:of_client",
    )

"""From the options of the executor to a client of a cluster whose workers have the same packages as we."""

from __future__ import annotations

import logging
import os
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffcore.plugin import ExecutorError, FFError
from ffcore_dask_executor.executor import DaskExecutor
from ffcore_dask_executor.same import check_versions

if TYPE_CHECKING:
    from distributed import Client, Security

WAIT = 30.0
"""Seconds to wait for a scheduler, and then for its first worker, where the option ``timeout`` does not say."""


def dask(
    n_jobs: int,
    scheduler: str | None = None,
    scheduler_file: str | None = None,
    tls_ca_file: str | None = None,
    tls_cert: str | None = None,
    tls_key: str | None = None,
    timeout: float = WAIT,
    direct: bool = True,
) -> DaskExecutor:
    """Workers of the cluster of a scheduler, or of a new one of ``n_jobs`` processes on this machine.

    ``scheduler``: its address (``tcp://host:8786``, ``tls://...``); ``scheduler_file``: the file in which it says so.
    ``tls_*``: certificates (PEM). ``timeout``: s to wait for it, and for a first worker. ``direct`` false: results come
    by way of the scheduler, where workers cannot be reached from here. Raises FFError for options that make no sense,
    ExecutorError where nobody is there, PluginError for workers with other versions.
    """
    if n_jobs < 1:
        raise ValueError(f"the number of jobs must be at least 1, not {n_jobs}")
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not 0 < timeout < float("inf"):
        raise FFError(f"the option timeout of the executor 'dask' must be seconds above 0, not {timeout!r}")
    if not isinstance(direct, bool):
        raise FFError(f"the option direct of the executor 'dask' must be true or false, not {direct!r}")
    if scheduler is not None and scheduler_file is not None:
        raise FFError("the executor 'dask' takes one of the options scheduler and scheduler_file")
    _quiet()
    security = _security(tls_ca_file, tls_cert, tls_key)
    if scheduler is None and scheduler_file is None:
        if security is not None:
            raise FFError("TLS options of the executor 'dask' take a scheduler or a scheduler_file")
        return _local(n_jobs, float(timeout))
    if scheduler_file is not None:
        _check_file("scheduler_file", scheduler_file)
        given: dict[str, Any] = {"scheduler_file": scheduler_file}
    else:
        given = {"address": scheduler}
    client = _connected(given, security, float(timeout), str(scheduler or scheduler_file))
    return _ready(client, float(timeout), owned=[client], direct=direct)


def of_client(client: Client) -> DaskExecutor:
    """The workers of a client that stays its owner's."""
    return _ready(client, WAIT, owned=[], direct=True)


def _quiet() -> None:
    """What goes wrong is told in a sentence of ours: distributed would log tracebacks of it to stderr."""
    import distributed  # noqa: F401 - sets its loggers up

    for name in ("client", "core", "comm", "nanny", "scheduler", "worker", "utils", "batched"):
        logging.getLogger(f"distributed.{name}").setLevel(logging.CRITICAL + 1)


def _local(n_jobs: int, timeout: float) -> DaskExecutor:
    """A cluster that only who has its certificates can reach: other users of the machine can open its ports too.

    Its pages (HTTP, without certificates) would tell them what runs, with logs and call stacks: they are empty.
    """
    from dask import config
    from distributed import Client, LocalCluster, Security

    security = Security.temporary()
    silent: dict[str, list[str]] = {f"distributed.{server}.http.routes": [] for server in ("scheduler", "worker")}

    with warnings.catch_warnings(), config.set(silent):
        warnings.simplefilter("ignore")  # of ports that are taken
        cluster = LocalCluster(
            n_workers=n_jobs,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=security,
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": False},
            silence_logs=50,
        )
        client = Client(cluster, security=security, set_as_default=False)
    return _ready(client, timeout, owned=[client, cluster], direct=True)


def _connected(given: dict[str, Any], security: Security | None, timeout: float, name: str) -> Client:
    from distributed import Client

    try:
        more = {} if security is None else {"security": security}
        return Client(**given, **more, timeout=timeout, set_as_default=False)
    except (OSError, TimeoutError) as error:
        raise ExecutorError(f"no Dask scheduler answers at {name}: {_short(error)}") from None
    except (ValueError, TypeError, RuntimeError) as error:
        raise FFError(f"the executor 'dask' cannot use the scheduler {name}: {_short(error)}") from None


def _ready(client: Client, timeout: float, *, owned: list[Any], direct: bool) -> DaskExecutor:
    executor = DaskExecutor(client, owned=owned, direct=direct)
    try:
        try:
            client.wait_for_workers(1, timeout=timeout)
        except (OSError, TimeoutError):
            at = client.scheduler.address if client.scheduler is not None else "the address given"
            raise ExecutorError(f"the Dask scheduler at {at} has no workers after {timeout:g} s") from None
        check_versions(client)
    except BaseException:
        executor.shutdown(wait=False)
        raise
    return executor


def _security(ca_file: str | None, cert: str | None, key: str | None) -> Security | None:
    given = {"tls_ca_file": ca_file, "tls_cert": cert, "tls_key": key}
    if not any(given.values()):
        return None
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise FFError(f"TLS for the executor 'dask' takes {', '.join(given)}: {', '.join(missing)} is missing")
    for name, value in given.items():
        _check_file(name, str(value))
    from distributed import Security

    return Security(tls_ca_file=ca_file, tls_client_cert=cert, tls_client_key=key, require_encryption=True)


def _check_file(option: str, path: str) -> None:
    if not (Path(path).is_file() and os.access(path, os.R_OK)):
        raise FFError(f"the option {option} of the executor 'dask' names {path!r}, which is no file that can be read")


def _short(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__

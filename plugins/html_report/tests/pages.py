"""Reports for the tests."""

from __future__ import annotations

from functools import cache

import yaml

import ffcore as ff
from ffcore.plugin import ReportSubject
from ffcore.results import Mappings
from ffcore.spec.spec import spec_from_data
from ffcore_html_report.data import ReportData
from ffcore_html_report.gather import gather
from ffcore_html_report.page import page
from tests.api.specs import MAC, MAIN, chain

NASTY = "</script><img src=x onerror=alert(1)>"
MARKUP = '<b>&"\'<a href="javascript:alert(2)">%{x}<!--'


@cache
def mapped() -> Mappings:
    """Several Pareto-optimal mappings of a chain of three matmuls."""
    return ff.map_workload_to_arch(chain(bandwidth=8), n_jobs=1)


@cache
def several() -> ReportData:
    """Of them, with the comparison with no fusion (which stands in for it: their last one)."""
    stats = {"guarantee": "optimal", "seconds": {"join": 0.5}}
    run = {"versions": {"ffcore": "0.1.0"}, "command": ["ff", "map"], "status": "running", "spec_hash": "abc"}
    return gather(ReportSubject(mapped(), title="a chain", unfused=mapped()[-1:], stats=stats, run=run))


@cache
def hostile() -> ReportData:
    """An Einsum, a memory and tensors whose names are markup."""
    names = {"name": NASTY, "projection": ["m", "k"]}, {"name": MARKUP, "projection": ["k", "n"]}
    accesses = [*names, {"name": "T", "projection": ["m", "n"], "output": True}]
    einsums = [{"name": f"{NASTY}E", "tensor_accesses": accesses}]
    workload = {"rank_sizes": {"M": 4, "K": 2, "N": 2}, "bits_per_value": {"All": 8}, "einsums": einsums}
    buffer = {"tag": "Memory", "name": "B", "size": 1024, "leak_power": 0, "area": 0, "tensors": {"keep": "All"}}
    buffer["actions"] = [{"name": name, "energy": 1, "throughput": 100} for name in ("read", "write")]
    arch = f"arch:\n  nodes:\n{MAIN % ('All', 'Nothing')}{MAC}"
    spec = ff.Spec.from_string(arch + yaml.safe_dump({"workload": workload}))
    data = spec.to_dict()
    data["arch"]["nodes"].insert(1, buffer)  # type: ignore[index]
    mappings = ff.map_workload_to_arch(spec_from_data(data, "hostile"), n_jobs=1)
    return gather(
        ReportSubject(mappings, title=NASTY, unfused_note=f"no {NASTY}", run={NASTY: NASTY}, stats={"guarantee": NASTY})
    )


def drawn(data: ReportData) -> str:
    """The page."""
    return page(data)

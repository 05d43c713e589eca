"""The ladder: GPT-3 6.7B on the TPU-like accelerator, optimal for each fusion setting, beside the published results.

Run by ``make demo``. Prints a table on stdout and writes each setting's mapping of least energy-delay product
(YAML that ``ff evaluate`` reads, picture, JSON) into a folder. Exit code 1 if a rung is worse than published, but for
one whose published mapping does not fit (tests/ladder evaluates it): that one must reach the best that does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import attrs

from ffcore.cli import job, output
from ffcore.errors import FFError
from ffcore.spec import Spec

ARCH = "tpu_v4i_like_constrained"
WORKLOAD = "gpt3_6.7B"
TOLERANCE = 1e-6  # relative; the published numbers come from a search in float32


def unfused(spec: Spec) -> None:
    """Every tensor goes through the first memory."""
    spec.arch.nodes["MainMemory"].constraints.tensors.keep = "All()"


def at_most(loops: float) -> Callable[[Spec], None]:
    """At most so many fused loops."""

    def limit(spec: Spec) -> None:
        spec.mapper.ffm.max_fused_loops = loops

    return limit


@attrs.frozen
class Rung:
    """One fusion setting; ``published``: energy-delay product in J·s for batch 4 and 4096 tokens."""

    name: str
    title: str
    change: Callable[[Spec], None]
    published: float
    exact: bool = False  # must agree, not only be no worse
    overflow: str = ""  # what is wrong with the published mapping, if it does not fit
    fitting: float = 0.0  # then: the optimum of what fits


LADDER = (
    Rung("unfused", "no fusion", unfused, 0.0767265063452541, exact=True),
    Rung(
        "untiled",
        "fusion without tiled fusion",
        at_most(0),
        0.07461399646709636,
        overflow="published overflows GlobalBuffer: 200 of 128 MiB",
        fitting=0.07538473113116435,
    ),
    Rung("one_loop", "one fused loop", at_most(1), 0.05170420468561774),
    Rung("two_loops", "two fused loops", at_most(2), 0.04982001852997137),
    Rung("any_loops", "any number of fused loops", at_most(float("inf")), 0.04982001853),
)


def verdict(rung: Rung, edp: float) -> str:
    """``equal``, ``better`` or ``WORSE`` than published, within the tolerance.

    Where the published mapping does not fit: that it does not, as long as the best that fits is reached.
    """
    ratio = edp / rung.published
    if abs(ratio - 1) <= TOLERANCE:
        return "equal"
    if ratio < 1:
        return "WORSE" if rung.exact else "better"
    return rung.overflow if rung.overflow and edp <= rung.fitting * (1 + TOLERANCE) else "WORSE"


def climb(rungs: Iterable[Rung], batch: int, tokens: int, out: Path, jobs: int | None) -> bool:
    """Map each rung, print its row, save its best mapping. Returns whether none is worse than published.

    Published numbers are compared only for batch 4 and 4096 tokens.
    """
    comparable = (batch, tokens) == (4, 4096)
    titles = f"{'energy (J)':>18} {'latency (s)':>20} {'EDP (J·s)':>20} {'published':>20}"
    print(f"{'setting':29} {titles} {'time':>8}")
    good = True
    for rung in rungs:
        spec = Spec.from_yaml(ARCH, WORKLOAD, jinja_parse_data={"BATCH_SIZE": batch, "N_TOKENS": tokens})
        # Published numbers are those of perfect factors.
        spec.mapper.ffm.explore_imperfect_temporal_loops = spec.mapper.ffm.explore_imperfect_spatial_loops = False
        rung.change(spec)
        start = time.perf_counter()
        report = job.run_map(spec, jobs=jobs)
        seconds = time.perf_counter() - start
        energy, latency, edp = report.numbers[report.best]
        judged = verdict(rung, edp) if comparable else ""
        good = good and judged != "WORSE"
        published = f"{rung.published:20.16g}" if comparable else f"{'-':>20}"
        numbers = f"{energy:18.16g} {latency:20.16g} {edp:20.16g} {published}"
        print(f"{rung.title:29} {numbers} {seconds:6.1f} s  {judged}", flush=True)
        output.write(attrs.evolve(report, mappings=report.mappings[report.best]), out / rung.name)
    print(f"\nmappings: {out}/*/mapping_0.yaml, .svg, .txt; numbers: {out}/*/results.json")
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path("out/demo"))
    parser.add_argument("--batch", type=int, default=4)
    parser.add_argument("--tokens", type=int, default=4096)
    parser.add_argument("--jobs", type=int, default=None)
    parser.add_argument("--rung", action="append", choices=[rung.name for rung in LADDER], help="only these")
    arguments = parser.parse_args()
    rungs = [rung for rung in LADDER if not arguments.rung or rung.name in arguments.rung]
    try:
        return 0 if climb(rungs, arguments.batch, arguments.tokens, arguments.out, arguments.jobs) else 1
    except FFError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())

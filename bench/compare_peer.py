"""The same YAML through ffcore and through an installed AccelForge ("the peer"), in one go, alternating.

    python -m bench.compare_peer --peer-python PATH                 # small cases, about three minutes
    python -m bench.compare_peer --peer-python PATH ARCH WORKLOAD --set M=64
    python -m bench.compare_peer --peer-python PATH --gpt3          # GPT-3 6.7B too: the peer needs nine minutes

Prints the ratio of wall times (ours with kernels cached) and both Pareto sets of (energy, latency), compared at 1e-5
relative, since the peer searches in float32. Exit code 1 if the peer has a point that none of ours matches or
dominates, unless the meaning differs there.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import attrs

from bench.jobs import map_command
from bench.measure import FAILED, LIMIT, OK, Measured, measure
from bench.run import ROOT
from ffcore.cli.values import parse_assignments
from ffcore.errors import FFError, SpecError
from ffcore.spec.library import find_file, is_name

TOLERANCE = 1e-5
OURS_ONLY = re.compile(r"^\s*computes_copies:.*\n", re.MULTILINE)
Point = tuple[float, float]  # energy in J, latency in s

AGREE, BETTER, LOOSER, WORSE, NO_RESULT = "agree", "ours better", "peer better, explained", "CONTRADICTION", "no result"
EXPLAINED = {
    AGREE: "every point of each side is matched or dominated by one of the other",
    BETTER: "right only if the exhaustive mapper finds it too: `ff map --explorer exhaustive --joiner exhaustive`",
    LOOSER: "with a finite limit the peer does not count a fused loop that is also its rank variable's innermost",
    WORSE: "the peer has a point that none of ours matches or dominates",
    NO_RESULT: "one side has no result to compare",
}


@attrs.frozen
class Case:
    """One comparison. ``loops``: ``max_fused_loops``."""

    arch: str
    workload: str
    parameters: Mapping[str, Any] = attrs.field(factory=dict)
    loops: float = math.inf

    @property
    def title(self) -> str:
        """What is compared, in one line."""
        settings = ", ".join(f"{k}={v}" for k, v in self.parameters.items())
        names = f"{Path(self.arch).name} with {Path(self.workload).name}"
        return f"{names} ({settings or 'no parameters'}), at most {self.loops:g} fused loops"


def _chain(arch: str, n: int, extent: int) -> Case:
    return Case(arch, "matmuls", {"N_EINSUMS": n, "M": extent, "KN": extent})


SMALL = (
    _chain("simple", 2, 64),
    _chain("simple", 4, 16),
    _chain("tpu_v4i_like", 2, 64),
    _chain("tpu_v4i_like_constrained", 2, 64),
)
GPT3 = Case("tpu_v4i_like", "gpt3_6.7B", {"BATCH_SIZE": 4, "N_TOKENS": 4096}, 2)


@attrs.frozen
class Side:
    """What one program found: its points, and the runs that found them."""

    points: Sequence[Point]
    runs: Sequence[Measured]
    inner: Mapping[str, float] = attrs.field(factory=dict)  # seconds by phase, of the last run
    version: str = ""

    @property
    def wall(self) -> float:
        """Seconds of the fastest run, as a whole process."""
        return min(run.wall for run in self.runs)

    @property
    def trouble(self) -> str:
        """Why there is no result; empty if there is one."""
        last = self.runs[-1]
        if last.status == LIMIT:
            return f"stopped after {last.wall:.0f} s"
        return " ".join(last.stderr.strip().splitlines()[-1:]) or "failed" if last.status == FAILED else ""


def covered(point: Point, others: Sequence[Point], tolerance: float = TOLERANCE) -> bool:
    """Whether one of ``others`` is at least as good in both, within the tolerance."""
    return any(all(o <= p * (1 + tolerance) for o, p in zip(other, point, strict=True)) for other in others)


def verdict(ours: Sequence[Point], peers: Sequence[Point], loops: float) -> str:
    """Who found the better Pareto set."""
    if not ours or not peers:
        return NO_RESULT
    if not all(covered(point, ours) for point in peers):
        return WORSE if loops == math.inf else LOOSER
    return AGREE if all(covered(point, peers) for point in ours) else BETTER


def compare(case: Case, peer_python: str, *, repeat: int, limit: float, jobs: int) -> tuple[Side, Side]:
    """Run both, alternating, ``repeat`` times. Raises ``SpecError`` for a file that is not there."""
    with tempfile.TemporaryDirectory(prefix="ffcore-peer-") as folder:
        files = [_shared_file(name, Path(folder)) for name in (case.arch, case.workload)]
        options = ("--max-fused-loops", f"{case.loops:g}", "--jobs", str(jobs))
        ours = map_command(files[0], files[1], case.parameters, *options)
        job = {
            "files": files,
            "parameters": dict(case.parameters),
            "max_fused_loops": None if case.loops == math.inf else int(case.loops),
            "jobs": jobs,
        }
        theirs = (peer_python, str(ROOT / "bench" / "peer_child.py"), json.dumps(job))
        runs: tuple[list[Measured], list[Measured]] = ([], [])
        measure(ours, limit=limit, cwd=ROOT)  # compiles what is not in the cache yet
        for _ in range(repeat):
            for command, done in zip((ours, theirs), runs, strict=True):
                if not done or done[-1].status == OK:
                    done.append(measure(command, limit=limit, cwd=ROOT))
    return _ours(runs[0]), _peers(runs[1])


def _shared_file(name: str, folder: Path) -> str:
    """A file that both can read: without ``computes_copies``, a field that only ffcore knows."""
    path = find_file(name) if is_name(name) else Path(name)
    if path is None or not path.is_file():
        raise SpecError.one(f"{name}: no such file or packaged file; the peer reads files only")
    text = path.read_text()
    shared, count = OURS_ONLY.subn("", text)
    if not count:
        return str(path.resolve())
    print(f"{path.name}: computes_copies is ffcore's own, left out for both (copies take no compute time)")
    copy = folder / path.name
    copy.write_text(shared)
    return str(copy)


def _ours(runs: list[Measured]) -> Side:
    if runs[-1].status != OK:
        return Side((), runs)
    found = json.loads(runs[-1].stdout)
    points = [(m["energy"], m["latency"]) for m in found["mappings"]]
    return Side(points, runs, found["stats"]["seconds"])


def _peers(runs: list[Measured]) -> Side:
    if runs[-1].status != OK:
        return Side((), runs)
    found = json.loads(runs[-1].stdout.strip().splitlines()[-1])
    return Side([(e, t) for e, t in found["points"]], runs, found["seconds"], found["version"])


def show(case: Case, ours: Side, peer: Side) -> str:
    """Both results and the verdict as text."""
    lines = [case.title]
    for name, side in (("ffcore", ours), (f"AccelForge {peer.version}".strip(), peer)):
        phases = ", ".join(f"{phase} {seconds:.2f}" for phase, seconds in side.inner.items())
        peak = max(run.peak_bytes for run in side.runs) / 2**20
        lines.append(f"  {name:20} {side.wall:9.2f} s  {peak:6.0f} MiB  {phases}{side.trouble}")
        lines += [f"    {energy:.10g} J, {latency:.10g} s" for energy, latency in sorted(side.points)]
    found = verdict(ours.points, peer.points, case.loops)
    if not ours.trouble and not peer.trouble:
        lines.append(f"  ratio of whole processes: {peer.wall / ours.wall:.1f}")
    return "\n".join([*lines, f"  {found}: {EXPLAINED[found]}"])


def main(words: Sequence[str] | None = None) -> int:
    """Compare what the arguments ask for. Exit code 1 on a contradiction or where we found nothing."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True, metavar="PATH", help="Python of the peer's environment")
    parser.add_argument("files", nargs="*", metavar="ARCH WORKLOAD", help="files or packaged names")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a Jinja parameter")
    parser.add_argument("--max-fused-loops", type=float, default=math.inf, metavar="N")
    parser.add_argument("--gpt3", action="store_true", help="GPT-3 6.7B, two fused loops, as well (about ten minutes)")
    parser.add_argument("--repeat", type=int, default=1, help="runs of each, alternating; the fastest counts")
    parser.add_argument("--jobs", type=int, default=2, help="parallel jobs of each")
    parser.add_argument("--limit", type=float, default=1800, help="seconds for one run")
    arguments = parser.parse_args(words)
    if len(arguments.files) not in (0, 2):
        parser.error("give an architecture and a workload, or neither")
    try:
        if arguments.files:
            parameters = parse_assignments("--set", arguments.set)
            arch, workload = arguments.files
            cases = [Case(arch, workload, parameters, arguments.max_fused_loops)]
        else:
            cases = [attrs.evolve(case, loops=arguments.max_fused_loops) for case in SMALL]
        good = True
        for case in [*cases, *([GPT3] if arguments.gpt3 else [])]:
            ours, peer = compare(
                case, arguments.peer_python, repeat=arguments.repeat, limit=arguments.limit, jobs=arguments.jobs
            )
            print(show(case, ours, peer) + "\n", flush=True)
            good = good and not ours.trouble and verdict(ours.points, peer.points, case.loops) != WORSE
    except (FFError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())

"""Many jobs in one process: what stays behind."""

from __future__ import annotations

import gc
import multiprocessing
import os
import random
import tempfile
import threading
import warnings
from collections.abc import Callable
from pathlib import Path

import attrs

import ffcore as ff
from ffcore.errors import NoValidMappingError, SpecWarning
from ffcore.spec.problem import Problem
from ffcore.system import resident
from tests.cli.process import ff_here
from tests.fuzz.trees import Tree, as_yaml

WARM = 100  # specs after which all is loaded, compiled and cached that will be
GROWTH = 60 * 2**20  # bytes: what allocators keep back varies by some tens of megabytes, a leak does not stop there
EVERY = 10  # of the specs go through the commands too, which write folders


@attrs.define
class Soak:
    """Memory by specs done, and what else there was before and after."""

    memory: list[float] = attrs.field(factory=list)
    before: dict[str, int] = attrs.field(factory=dict)
    after: dict[str, int] = attrs.field(factory=dict)
    mapped: int = 0

    def growth(self) -> float:
        """Bytes by which the least of the last tenth is more than the least around the hundredth."""
        warm = min(WARM, len(self.memory) // 2)
        last = self.memory[-max(1, len(self.memory) // 10) :]
        return min(last) - min(self.memory[warm : warm + 20] or last)

    def wrong(self) -> list[str]:
        """What stayed behind."""
        found = [f"memory grew by {self.growth() / 2**20:.0f} MiB"] if self.growth() > GROWTH else []
        return found + [f"{n - self.before[what]} {what}" for what, n in self.after.items() if n > self.before[what]]

    def told(self) -> str:
        """The result in one line."""
        grown = (
            f"{len(self.memory)} specs, {self.mapped} with a mapping, memory grew by {self.growth() / 2**20:.1f} MiB"
        )
        return f"{grown}; " + ("; ".join(self.wrong()) or "nothing stayed behind")


def soak(count: int, log: Path | None = None, tell: Callable[[str], object] = lambda text: None) -> Soak:
    """Run so many random specs."""
    found = Soak()
    rng = random.Random(17)
    with tempfile.TemporaryDirectory(prefix="ffcore-soak-") as folder:
        temporary = Path(folder) / "temporary"
        temporary.mkdir()
        before, tempfile.tempdir = tempfile.tempdir, str(temporary)
        try:
            _one(random.Random(0), Path(folder), commands=True)  # what is loaded opens files too
            found.before = _left(temporary)
            for number in range(count):
                found.mapped += _one(rng, Path(folder), commands=number % EVERY == 0)
                gc.collect()
                found.memory.append(resident())
                if number % 100 == 99:
                    tell(f"{number + 1} specs: {found.memory[-1] / 2**20:.0f} MiB")
            found.after = _left(temporary)
        finally:
            tempfile.tempdir = before
    if log is not None:
        log.write_text("".join(f"{n},{int(size)}\n" for n, size in enumerate(found.memory)))
    return found


def _left(temporary: Path) -> dict[str, int]:
    return {
        "temporary files": len(list(temporary.iterdir())),
        "workers": len(multiprocessing.active_children()),
        "threads": threading.active_count(),
        "open files": len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0,
    }


def random_spec(rng: random.Random) -> tuple[str, str]:
    """An architecture and a workload of one to three products."""
    size = rng.choice([40, 100, 400, 2000])
    inner = f"spatial: [{{name: X, fanout: {rng.choice([2, 4])}, may_reuse: All}}]," if rng.random() < 0.4 else ""
    actions = [{"read": rng.choice([1, 2, 5]), "write": rng.choice([1, 3])} for _ in range(2)]
    main = f"tensors: {{keep: ~Intermediates, may_keep: All}}, {_actions(actions[0], 'inf')}"
    buffer = f"tensors: {{keep: ~Main.tensors, may_keep: All}}, {_actions(actions[1], 8)}"
    nodes = [
        f"!Memory {{name: Main, size: inf, {main}}}",
        f"!Memory {{name: Buffer, {inner} size: {size}, {buffer}}}",
        "!Compute {name: MAC, actions: [{name: compute, energy: 1, throughput: 1}]}",
    ]
    count = rng.randint(1, 3)
    ranks = {"M": rng.choice([2, 3, 4, 6, 8]), **{f"N{i}": rng.choice([2, 3, 4]) for i in range(count + 1)}}
    einsums = [f'"T{i + 1}[m, n{i + 1}] = T{i}[m, n{i}] * W{i}[n{i}, n{i + 1}]"' for i in range(count)]
    sizes = as_yaml(Tree(items=[Tree(str(n)) for n in ranks.values()], keys=list(ranks)))
    arch = f"arch: {{nodes: [{', '.join(nodes)}]}}\n"
    return arch, f"workload: {{rank_sizes: {sizes}, bits_per_value: {{All: 8}}, einsums: [{', '.join(einsums)}]}}\n"


def _actions(energies: dict[str, int], throughput: object) -> str:
    listed = [f"{{name: {name}, energy: {energy}, throughput: {throughput}}}" for name, energy in energies.items()]
    return f"actions: [{', '.join(listed)}]"


def _one(rng: random.Random, folder: Path, commands: bool) -> bool:
    """Map, evaluate and explain a spec, and report it by the commands; whether it has a mapping."""
    arch, workload = random_spec(rng)
    spec = ff.Spec.from_string(arch + workload)
    spec.mapper.ffm.max_fused_loops = rng.choice([0, 1, 2])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SpecWarning)
        try:
            mappings = ff.map_workload_to_arch(spec, n_jobs=1)
        except NoValidMappingError:
            ff.explain(spec, n_jobs=1)
            return False
        again = spec.copy()
        assert isinstance(again.problem(), Problem)
        best = min(range(len(mappings)), key=lambda i: mappings[i].energy())
        assert mappings[best].energy() > 0
    if commands:
        _by_commands(arch, workload, mappings.to_yaml(best), folder)
    return True


def _by_commands(arch: str, workload: str, mapping: str, folder: Path) -> None:
    files = {"a.yaml": arch, "w.yaml": workload, "m.yaml": mapping}
    for name, text in files.items():
        (folder / name).write_text(text)
    a, w, m = (folder / name for name in files)
    for words in (
        ["map", a, w, "--jobs", "2", "--max-fused-loops", "1", "--out", folder / "out"],
        ["map", "--resume", folder / "out"],
        ["report", folder / "out"],
        ["evaluate", a, w, m],
        ["explain", a, w, "--jobs", "1"],
    ):
        done = ff_here(*words)
        assert done.returncode in (0, 1), (words, done.stderr)

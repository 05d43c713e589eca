"""A mutant: files, made from a number alone, and the command that reads them."""

from __future__ import annotations

import json
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import attrs

from tests.fuzz import bases
from tests.fuzz.hostile import FRAGMENTS, NAMES, SCALARS
from tests.fuzz.trees import Tree, as_json, as_yaml, mutate, mutate_bytes, mutate_text, of_data

MAP = ("--max-fused-loops", "1", "--jobs", "1", "--time-limit", "2s", "--no-baseline")


@attrs.define
class Case:
    """What one mutant runs: ``ff`` with these words, in a folder with these files."""

    kind: str
    words: list[str]
    same: bool = False  # where results are found, they are those of the folder that was not changed
    metadata: bool = False  # the folder is one of distributions


@attrs.frozen
class Seeds:
    """Folders that commands wrote: of ``ff map --out`` and ``ff sweep --out``."""

    run: Path
    sweep: Path
    results: tuple[tuple[float, float], ...]  # energy and latency of the run's mappings
    points: tuple[tuple[float | None, float | None], ...]


def make(number: int, folder: Path, seeds: Seeds, kinds: tuple[str, ...] = ()) -> Case:
    """Write the files of a mutant into an empty folder."""
    rng = random.Random(f"ffcore fuzz {number}")
    names = kinds or tuple(KINDS)
    kind = rng.choices(names, [KINDS[name][0] for name in names])[0]
    return KINDS[kind][1](rng, folder, seeds)


def spec(rng: random.Random, folder: Path, seeds: Seeds) -> Case:
    """Trees of an architecture and a workload, changed at one to three places."""
    arch = rng.choice(list(bases.trees("arches").values())).copy()
    workload = rng.choice(list(bases.trees("workloads").values())).copy()
    bases.cut(workload, rng)
    _mutated(rng, [arch, workload])
    (folder / "a.yaml").write_text(_utf8(as_yaml(arch)))
    (folder / "w.yaml").write_text(_utf8(as_yaml(workload)))
    return Case("spec", ["validate", "a.yaml", "w.yaml"])


def mapped(rng: random.Random, folder: Path, seeds: Seeds) -> Case:
    """As `spec`, and a search: mostly of the small problem, now and then of packaged ones."""
    small = rng.random() < 0.9
    if small:
        arch, workload = (tree.copy() for tree in rng.choice(bases.pairs()))
    else:
        arch = rng.choice(list(bases.trees("arches").values())).copy()
        workload = bases.trees("workloads")["matmuls"].copy()
    _mutated(rng, [arch, workload])
    (folder / "a.yaml").write_text(_utf8(as_yaml(arch)))
    (folder / "w.yaml").write_text(_utf8(as_yaml(workload)))
    searches = small and rng.random() < 0.25  # many searches, and processes: the dearest of all mutants
    explain = ["explain", "--jobs", "1", "--time-limit", "2s"] if searches else ["render", "workload"]
    command = rng.choice([["map", *MAP], ["map", *MAP], ["map", *MAP], explain])
    if command[0] == "render":
        return Case("map", [*command, "w.yaml"])
    if command[0] == "map" and rng.random() < 0.15:  # under a law of a plugin
        _write(folder, {**DISTRIBUTION, "acme_plugin.py": LAW})
        return Case("map", [*command, "a.yaml", "w.yaml", "--model", "acme"], metadata=True)
    return Case("map", [command[0], "a.yaml", "w.yaml", *command[1:]])


def text(rng: random.Random, folder: Path, seeds: Seeds) -> Case:
    """Packaged files as text, Jinja and all."""
    for what, name in (("arches", "a.yaml"), ("workloads", "w.yaml")):
        all_texts = list(bases.texts(what).values())
        changed = rng.choice(all_texts)
        for _ in range(rng.choice([0, 1, 1, 2, 4])):
            changed = mutate_text(changed, rng, all_texts)
        (folder / name).write_text(_utf8(changed))
    values = rng.choice([[], [], ["--set", f"N_EINSUMS={rng.choice(SCALARS)}"], ["--set", f"M={rng.choice(SCALARS)}"]])
    return Case("text", ["validate", "a.yaml", "w.yaml", *values])


def mapping(rng: random.Random, folder: Path, seeds: Seeds) -> Case:
    """A mapping that was found, changed, and evaluated."""
    tree = of_yaml((seeds.run / "mapping_0.yaml").read_text())
    _mutated(rng, [tree])
    (folder / "a.yaml").write_text(bases.ARCH)
    (folder / "w.yaml").write_text(bases.WORKLOAD)
    (folder / "m.yaml").write_text(_utf8(as_yaml(tree)))
    command = rng.choice([["evaluate", "a.yaml", "w.yaml", "m.yaml"], ["render", "mapping", "m.yaml"]])
    return Case("mapping", command)


def run(rng: random.Random, folder: Path, seeds: Seeds) -> Case:
    """The folder of a run, with something wrong in it."""
    shutil.copytree(seeds.run, folder / "out")
    _damage(rng, folder / "out", ["*.json", "*.yaml", "mapping*"])
    report, resume = ["report", "out"], ["map", "--resume", "out", "--jobs", "1"]
    words = rng.choice([report, resume, [*report, "--out", "new"]])
    if rng.random() < 0.2:
        (folder / "a.yaml").write_text(bases.ARCH)
        (folder / "w.yaml").write_text(bases.WORKLOAD)
        words = ["map", "a.yaml", "w.yaml", "--out", "out", *MAP]
    return Case("run", words)


def sweep(rng: random.Random, folder: Path, seeds: Seeds) -> Case:
    """The folder of a sweep, with something wrong in it."""
    shutil.copytree(seeds.sweep, folder / "out")
    _damage(rng, folder / "out", ["*.json", "*/*.json", "*/*.yaml", "pmappings/*"])
    return Case("sweep", ["sweep", "--resume", "out", "--jobs", "1"])


def cache(rng: random.Random, folder: Path, seeds: Seeds) -> Case:
    """Kept pmappings that are damaged: they are found anew, and the answer is the same."""
    options = ["--jobs", "1", "--no-baseline", "--format", "json"]
    if rng.random() < 0.2:
        shutil.copytree(seeds.run, folder / "out")
        _damage(rng, folder / "out", ["pmappings/*"])
        return Case("cache", ["map", "--resume", "out", *options], same=True)
    shutil.copytree(seeds.run / "pmappings", folder / "out" / "pmappings")
    _damage(rng, folder / "out", ["pmappings/*"])
    (folder / "a.yaml").write_text(bases.ARCH)
    (folder / "w.yaml").write_text(bases.WORKLOAD)
    words = ["map", "a.yaml", "w.yaml", "--cache", "out/pmappings", "--max-fused-loops", "1", *options]
    return Case("cache", words, same=True)


LAW = """\
import attrs
import numpy as np
from ffcore.plugin import Law, ModelRecord, hookimpl

@hookimpl
def ffcore_models():
    yield ModelRecord("acme", "packets", "ffcore.model.default:DefaultModel", law="acme_plugin:Packets")

@attrs.frozen
class Packets(Law):
    size: float = 12.0

    def price(self, component, action, tensor):
        if action not in ("hop", "read"):
            return None
        width = component.width(tensor)

        def price(tile, transfers):
            packets = np.ceil(tile * width / self.size)
            return packets * component.action(action).energy, packets

        return price
"""

METADATA = "Metadata-Version: 2.1\nName: acme\nVersion: 1.0\nSummary: parts\n"
ENTRY_POINTS = "[ffcore]\nacme = acme_plugin\n"
DISTRIBUTION = {"acme-1.0.dist-info/METADATA": METADATA, "acme-1.0.dist-info/entry_points.txt": ENTRY_POINTS}
MODULE = """\
from ffcore.plugin import JoinerRecord, ArchRecord, Parameter, hookimpl

@hookimpl
def ffcore_joiners():
    yield JoinerRecord("acme", "a joiner", "acme_plugin:Nothing")

@hookimpl
def ffcore_arches():
    yield ArchRecord("acme", "an arch", "acme_plugin:arch", parameters=[Parameter("size", 3, "bit", "of it")])

def arch(size=3):
    return "arch: {nodes: [!Compute {name: MAC}]}"
"""


def plugin(rng: random.Random, folder: Path, seeds: Seeds) -> Case:
    """A distribution whose metadata or hooks are wrong."""
    files = {**DISTRIBUTION, "acme_plugin.py": MODULE}
    name = rng.choice([*files, "acme-1.0.dist-info/entry_points.txt"])
    for _ in range(rng.randint(1, 3)):
        files[name] = mutate_text(files[name], rng, list(files.values()))
    _write(folder, files)
    words = rng.choice(
        [["plugins"], ["plugins", "--format", "json"], ["list"], ["validate", "acme", "matmuls"], ["--help"]]
    )
    return Case("plugin", words, metadata=True)


def options(rng: random.Random, folder: Path, seeds: Seeds) -> Case:
    """Words on the command line."""
    (folder / "a.yaml").write_text(bases.ARCH)
    (folder / "w.yaml").write_text(bases.WORKLOAD)
    value = rng.choice([*SCALARS, *NAMES, *FRAGMENTS])
    value = value.replace("\x00", "")[:2000]
    fields = [
        "arch",
        "arch.nodes",
        "arch.nodes.Buffer.size",
        "workload.rank_sizes.M",
        "mapper.ffm.metrics",
        "variables.x",
    ]
    path = rng.choice([*fields, value])
    names = ["--metrics", "--time-limit", "--memory-limit", "--jobs", "--joiner", "--imperfect", "--allow-dir"]
    named = [[name, value] for name in (*names, "--max-fused-loops", "--set", "--spec")]
    pairs = [["--set", f"M={value}"], ["--spec", f"{path}={value}"], ["--arch-param", f"x={value}"]]
    option = rng.choice([*named, *pairs, pairs[1], [value]])
    words = ["map", "a.yaml", "w.yaml", *(MAP if option[0] not in MAP else MAP[-1:]), *option]
    if rng.random() < 0.2:
        words = ["sweep", "a.yaml", "w.yaml", "--vary", f"{path}={value},{rng.choice(SCALARS)}", "--jobs", "1"]
        words = [w.replace("\x00", "") for w in words]
    return Case("options", words)


KINDS: dict[str, tuple[float, Callable[[random.Random, Path, Seeds], Case]]] = {
    "spec": (30, spec),
    "map": (12, mapped),
    "text": (20, text),
    "mapping": (20, mapping),
    "run": (4, run),
    "sweep": (2, sweep),
    "cache": (3, cache),
    "plugin": (5, plugin),
    "options": (5, options),
}
"""How often each kind comes, and what makes one."""


def of_yaml(text: str) -> Tree:
    """The tree of YAML."""
    from ffcore.spec.source import load_text
    from tests.fuzz.trees import of_node

    return of_node(load_text(text))


def _mutated(rng: random.Random, trees: list[Tree]) -> None:
    pool = [rng.choice(list(bases.trees(what).values())) for what in ("arches", "workloads")] + trees
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        mutate(rng.choice(trees), rng, pool)


def _damage(rng: random.Random, folder: Path, patterns: list[str]) -> None:
    """Change, remove or replace one or two of the files that the patterns name."""
    for _ in range(rng.choice([1, 1, 2])):
        files = sorted({f for pattern in patterns for f in folder.glob(pattern) if not f.is_dir()})
        if not files:
            return
        file = rng.choice(files)
        which = rng.randrange(10)
        if which < 4 and file.suffix == ".json" and file.is_file() and not file.is_symlink():
            _change_json(rng, file)
        elif which < 7 and file.is_file() and not file.is_symlink():
            file.write_bytes(mutate_bytes(file.read_bytes(), rng))
        else:
            file.unlink()
            _strange(rng, file)


def _change_json(rng: random.Random, file: Path) -> None:
    try:
        tree = of_data(json.loads(file.read_text()))
    except (ValueError, RecursionError):  # damaged before
        return
    mutate(tree, rng, [tree.copy()])
    file.write_text(_utf8(as_json(tree)))


def _strange(rng: random.Random, file: Path) -> None:
    """Nothing, or something that is no regular file, in the place of a file."""
    which = rng.randrange(6)
    if which == 0:
        file.mkdir()
    elif which == 1:
        os.mkfifo(file)
    elif which == 2:
        file.symlink_to(file.name)  # in a circle
    elif which == 3:
        file.symlink_to("/etc/passwd")
    elif which == 4:
        file.symlink_to("nowhere")


def _write(folder: Path, files: dict[str, str]) -> None:
    for place, content in files.items():
        (folder / place).parent.mkdir(exist_ok=True)
        (folder / place).write_text(_utf8(content))


def _utf8(text: str) -> str:
    return text.encode("utf-8", "replace").decode()

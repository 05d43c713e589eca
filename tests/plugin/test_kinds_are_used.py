"""Registered parts are really picked up where the docs say, each through a throw-away plugin."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.process import ff, ff_here, write_specs
from tests.cli.stopper import installed_here

PLUGIN = """
from ffcore.plugin import *
from ffcore.plugin import DefaultModel

class Toml:
    def load(self, path):
        import tomllib
        data = tomllib.loads(path.read_text())
        return f"variables: {{factor: {data['factor']}}}"

class Costs:
    def cost(self, component):
        assert component.component_class == "SRAM"
        return ComponentCost(dict.fromkeys(component.actions, 5.0), dict.fromkeys(component.actions, 1.0), 0.0, 0.0)

def npu(size=1):
    return {"arch": {"nodes": [
        {"tag": "Memory", "name": "M", "size": size, "tensors": {"keep": "All"},
         "actions": [{"name": a, "energy": 1, "throughput": 1} for a in ("read", "write")]},
        {"tag": "Compute", "name": "C", "actions": [{"name": "compute", "energy": 1, "throughput": 1}]}]}}

@hookimpl
def ffcore_spec_loaders():
    yield SpecLoaderRecord("toml", "TOML", "throwaway:Toml", suffixes=[".toml"])

@hookimpl
def ffcore_cost_models():
    yield CostModelRecord("fives", "all 5 J", "throwaway:Costs")

class Contrary:
    def evaluate(self, problem, nests):
        import attrs
        from ffcore.model.types import ActionKey
        joint = DefaultModel().evaluate(problem, nests)
        first, *rest = joint.evaluations
        energy = {**first.energy, ActionKey("C", None, "contrary"): 1e12 / joint.total_energy}
        return attrs.evolve(joint, evaluations=(attrs.evolve(first, energy=energy), *rest))

@hookimpl
def ffcore_models():
    yield ModelRecord("contrary", "who saves pays", "throwaway:Contrary")

@hookimpl
def ffcore_arches():
    yield ArchRecord("npu", "plain data", "throwaway:npu", parameters=[Parameter("size", 1, "bit")])
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder for PYTHONPATH that holds a distribution ``throwaway 1``, which is installed here meanwhile."""
    site = tmp_path_factory.mktemp("installed") / "site"
    info = site / "throwaway-1.dist-info"
    info.mkdir(parents=True)
    (site / "throwaway.py").write_text(textwrap.dedent(PLUGIN))
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: throwaway\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[ffcore]\nthrowaway = throwaway\n")
    with installed_here(site, ["throwaway"]):
        yield site


def mapped(site: Path, tmp_path: Path, *options: str) -> tuple[float, str]:
    """(J, what is promised) under the model ``contrary``."""
    arch, workload = write_specs(tmp_path)
    common = (arch, workload, "--set", "M=2", "--metrics", "energy", "--model", "contrary", "--max-fused-loops", "0")
    done = ff_here("map", *common, *options, "--format", "json")
    assert (done.returncode, done.stderr) == (0, "")
    found = json.loads(done.stdout)
    return found["mappings"][0]["energy"], found["stats"]["guarantee"]


def test_a_model_of_whole_mappings_is_obeyed_by_the_exhaustive_parts_only(site: Path, tmp_path: Path) -> None:
    energy, promise = mapped(site, tmp_path)
    best, proven = mapped(site, tmp_path, "--explorer", "exhaustive", "--joiner", "exhaustive")
    assert promise.endswith("none (model contrary evaluates mappings found under 'default')")
    assert proven.endswith("optimal")
    assert best < energy


def test_files_of_other_formats_are_read_by_their_loader(site: Path, tmp_path: Path) -> None:
    arch, workload = write_specs(tmp_path)
    arch.write_text(arch.read_text().replace("{{SIZE | default(1e6)}}", "2 * factor"))
    extra = tmp_path / "extra.toml"
    extra.write_text("factor = 300\n")
    done = ff_here("validate", arch, workload, extra, "--set", "M=8")
    assert (done.returncode, done.stderr) == (0, "")
    missing = ff_here("validate", arch, workload, "--set", "M=8")
    assert missing.returncode == 2
    assert "factor" in missing.stderr


def test_architecture_as_plain_data_with_a_parameter(site: Path, tmp_path: Path) -> None:
    """In a process of its own, as users have it."""
    _, workload = write_specs(tmp_path)
    done = ff("validate", "npu", workload, "--arch-param", "size=64", "--set", "M=8", PYTHONPATH=str(site))
    assert (done.returncode, done.stderr) == (0, "")


def test_cost_model_prices_what_the_spec_leaves_open(site: Path, tmp_path: Path) -> None:
    arch, workload = write_specs(tmp_path)
    text = arch.read_text()
    free = text.replace("energy: 1,", "energy: 0,")
    cost = "    - {name: read, energy: 0, throughput: inf}\n    - {name: write, energy: 0, throughput: inf}\n"
    assert free.count(cost) == 2
    arch.write_text(free.replace("    actions:\n" + cost, "    component_class: SRAM\n", 1))
    common = [arch, workload, "--set", "M=4", "--explorer", "exhaustive", "--joiner", "exhaustive", "--format", "json"]
    done = ff_here("map", *common, "--cost-model", "fives")
    assert done.returncode == 0, done.stderr
    energy = min(m["energy"] for m in json.loads(done.stdout)["mappings"])
    # MainMemory reads T0, W0, W1 and writes T2, each at least once: 8 + 4 + 4 + 8 values of 8 bits, 5 J a bit.
    assert energy == 24 * 8 * 5
    unpriced = ff_here("map", *common)
    assert unpriced.returncode == 2
    assert "MainMemory" in unpriced.stderr


def test_yaml_picks_parts_too(tmp_path: Path) -> None:
    arch, workload = write_specs(tmp_path)
    mapper = tmp_path / "mapper.yaml"
    mapper.write_text("mapper: {explorer: exhaustive, joiner: nobody}\n")
    done = ff_here("map", arch, workload, mapper, "--set", "M=4")
    assert done.returncode == 2
    assert "joiner 'nobody' is not installed; installed: ffm, exhaustive" in done.stderr
    mapper.write_text("mapper: {explorer: exhaustive, joiner: exhaustive}\n")
    assert ff_here("map", arch, workload, mapper, "--set", "M=4").returncode == 0


def test_disabled_plugin_leaves_the_name_unknown(site: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, workload = write_specs(tmp_path)
    for arguments, disabled in ((["--no-plugins"], ""), ([], "throwaway")):
        monkeypatch.setenv("FFCORE_DISABLE_PLUGINS", disabled)
        done = ff_here("validate", "npu", workload, "--set", "M=8", *arguments)
        assert done.returncode == 2
        assert "npu" in done.stderr

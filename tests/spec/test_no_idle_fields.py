"""No field of a spec without an effect: each is read by something that acts on it, or is said to have none.

Reads are seen while a job runs, not in the text of the code: a field that is only read in, written out, copied and
hashed is idle.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import attrs
import pytest

import ffcore as ff
from ffcore.errors import FFError, SpecWarning
from ffcore.plugin import ComponentCost
from ffcore.spec import Spec
from ffcore.spec.fields import SpecNode
from ffcore.spec.problem import MapperOptions
from ffcore.spec.resolve.job import IGNORED

ROOT = Path(__file__).parents[2]
CORE = Path(ff.__file__).parent
# What treats all fields alike: reading, writing, copying and hashing a spec.
_GENERIC = {CORE / "spec" / name for name in ("fields.py", "convert.py", "paths.py")}
_EVERY_NODE = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Hierarchical
    nodes:
    - !Toll {name: Bus, direction: down, tensors: {keep: X}, actions: [{name: read, energy: 1, throughput: inf}]}
  - !Fork
    nodes:
    - !Compute {name: Lane, actions: [{name: compute, energy: 9, throughput: 1}]}
  - !Array
    name: Grid
    spatial: [{name: x, fanout: 2, loop_bounds: [{expression: m, operator: <=, value: 2}]}]
    nodes:
    - !Toll {name: Feed, direction: {Other: up}, tensors: {keep: X}, component_class: Dummy}
  - !Network {name: Mesh, spatial: [{name: y, fanout: 2}], actions: [{name: hop, energy: 1, latency: 1}]}
  - !Compute {name: MAC, leak_power: 1, actions: [{name: compute, energy: 1, throughput: 1}]}
workload:
  rank_sizes: {M: 4, K: 2, N: 2}
  bits_per_value: {All: 8}
  einsums: ["Y[m, n] = X[m, k] * W[k, n]"]
"""


def subclasses(cls: type) -> list[type]:
    return [cls, *(inner for own in cls.__subclasses__() for inner in subclasses(own))]


_PRICED = """
arch:
  nodes:
  - !Memory {name: DRAM, size: inf, tensors: {keep: All}, component_class: dram}
  - !Toll {name: Bus, direction: down, tensors: {keep: I}, component_class: wire}
  - !Network {name: Mesh, component_class: link, actions: [{name: hop}]}
  - !Compute {name: MAC, component_class: mac, actions: [{name: compute, throughput: 1}]}
renames:
  einsums: [{name: default, tensor_accesses: [{name: weight, source: F}]}]
workload:
  rank_sizes: {P: 4, R: 3, X: 4}
  bits_per_value: {All: 8}
  einsums:
  - name: O
    tensor_accesses:
    - {name: I, projection: {X: p + r}, padding: {X: 2}}
    - {name: F, projection: [r]}
    - {name: O, projection: [p], output: True}
mapping:
  nodes:
  - !Storage {tensors: [I, F, O], component: DRAM}
  - !Toll {tensors: [I], component: Bus}
  - !Temporal {rank_variable: p, tile_shape: 1}
  - !Temporal {rank_variable: r, tile_shape: 1}
  - !Compute {einsum: O, component: MAC}
"""


def work() -> None:
    """Jobs that between them use every kind of node, and what a spec can leave to others."""
    for spec in (Spec.from_string(_EVERY_NODE), Spec.from_yaml("tpu_v4i_like", "matmuls", N_EINSUMS=2, M=4, KN=4)):
        spec.areas()
        ff.map_workload_to_arch(spec, n_jobs=1)
    priced = Spec.from_string(_PRICED)
    priced.problem(cost_model=lambda query: ComponentCost(*[dict.fromkeys(query.actions, 1.0)] * 2, 0.0, 0.0))
    for name in ("tables", "nobody"):  # without files, and not installed
        priced.mapper.cost_model = name
        with pytest.raises(FFError):
            ff.evaluate_mapping(priced)


def seen_at_work() -> dict[type, set[str]]:
    """Class -> fields that were read on one of its objects, by anything that does not treat all fields alike."""
    seen: dict[type, set[str]] = {}

    def spy(node: object, name: str) -> object:
        if not name.startswith("_"):
            caller = sys._getframe(1).f_code.co_filename
            ours = any(part.startswith("ffcore") for part in Path(caller).parts)
            if ours and Path(caller) not in _GENERIC:
                seen.setdefault(type(node), set()).add(name)
        return object.__getattribute__(node, name)

    watched = SpecNode, MapperOptions
    with pytest.MonkeyPatch.context() as patch:
        for cls in watched:
            patch.setattr(cls, "__getattribute__", spy)
        work()
    return seen


SCRIPT = """
import json
from tests.spec.test_no_idle_fields import seen_at_work
print(json.dumps({f"{c.__module__}:{c.__qualname__}": sorted(names) for c, names in seen_at_work().items()}))
"""


@pytest.fixture(scope="module")
def read() -> dict[type, set[str]]:
    """What `seen_at_work` tells in a process of its own: whatever ran before, nothing has been read and remembered."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    known = {f"{c.__module__}:{c.__qualname__}": c for c in (*subclasses(SpecNode), MapperOptions)}
    return {known[name]: set(fields) for name, fields in found.items() if name in known}


FIELDS = [
    (cls, field.name)
    for cls in subclasses(SpecNode)
    if attrs.has(cls)
    for field in attrs.fields(cls)
    if field.init and not field.name.startswith("_")
]


def test_fields_are_read_by_what_acts_on_them(read: dict[type, set[str]]) -> None:
    assert len(FIELDS) > 100
    idle = [(cls, name) for cls, name in FIELDS if not any(name in read.get(own, ()) for own in subclasses(cls))]
    assert idle == []


@pytest.mark.parametrize("name", [f.name for f in attrs.fields(MapperOptions)])
def test_option_of_the_mapper_is_obeyed_refused_or_said_to_be_ignored(name: str, read: dict[type, set[str]]) -> None:
    assert name in read[MapperOptions] or f"mapper.ffm.{name}" in IGNORED


@pytest.mark.parametrize("path", IGNORED)
def test_fields_without_effect_are_warned_of_once(path: str) -> None:
    spec = Spec.from_yaml("simple", "matmuls", N_EINSUMS=1, M=2, KN=2)
    spec.set(path, "latency")
    with pytest.warns(SpecWarning, match=f"{path} has no effect") as caught:
        spec.problem()
    assert len(caught) == 1

"""With default parameters the model is the packaged YAML: every resolved number is equal."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from ffcore.plugin import PluginManager
from ffcore.spec import Spec
from ffcore.spec.problem import Component, Problem
from ffcore_tpu_arch import plugin
from ffcore_tpu_arch.model import tpu_v4i_like, tpu_v4i_like_constrained

ARCHES = Path(__file__).resolve().parents[3] / "arches"

# One Einsum of each sort: a copy, two with weights, one of two tensors.
WORKLOAD = """
workload:
  rank_sizes: {M: 512, K: 512, N: 1024, J: 256}
  bits_per_value: {All: 8}
  einsums:
  - {einsum: "A[m, k] = A_in[m, k]", name: Copy, is_copy_operation: true,
     renames: {input: A_in, weight: Nothing, output: A}}
  - {einsum: "B[m, n] = A[m, k] * W0[k, n]", name: First, renames: {input: A, weight: W0, output: B}}
  - {einsum: "S[m, n] = B[m, n]", name: Softmax, renames: {input: B, weight: Nothing, output: S}}
  - {einsum: "C[m, j] = S[m, n] * W1[n, j]", name: Second, renames: {input: S, weight: W1, output: C}}
"""


def resolved(arch: str) -> Mapping[str, tuple[Component, ...]]:
    """Every component of every path, for what each memory may see above it."""
    return _components(Spec.from_string(arch + WORKLOAD).problem())


def _components(problem: Problem) -> dict[str, tuple[Component, ...]]:
    result = {}
    for einsum in problem.einsums:
        for everything in (False, True):
            for path in einsum.paths:
                held: dict[str, frozenset[str]] = {}
                found = []
                for index, name in enumerate(path.names):
                    component = path.component(index, held)
                    found.append(component)
                    if component.holding is not None:
                        holding = component.holding
                        held = {**held, name: holding.must | holding.may if everything else holding.must}
                result[f"{einsum.name} {path.names[-1]} {everything}"] = tuple(found)
    return result


@pytest.mark.parametrize(
    ("name", "made"), [("tpu_v4i_like", tpu_v4i_like()), ("tpu_v4i_like_constrained", tpu_v4i_like_constrained())]
)
def test_defaults_equal_the_packaged_yaml(name: str, made: str) -> None:
    path = ARCHES / f"{name}.yaml"
    if not path.exists():
        pytest.skip(f"{path} is not there")
    packaged = resolved(path.read_text() + "\n")
    assert len(packaged) >= 8  # four Einsums, kept as little and as much as possible
    assert resolved(made) == packaged


def test_the_two_differ() -> None:
    assert resolved(tpu_v4i_like()) != resolved(tpu_v4i_like_constrained())


def test_the_facts_of_the_issue() -> None:
    components = {c.name: c for c in resolved(tpu_v4i_like_constrained())["First MAC False"]}
    assert list(components) == ["MainMemory", "GlobalBuffer", "LocalBuffer", "ProcessingElement", "Register", "MAC"]
    main, local, mac = components["MainMemory"], components["LocalBuffer"], components["MAC"]
    assert main.action("read").energy == 7.03e-12
    assert main.latency == ({"read": 1 / (8 * 614e9), "write": 1 / (8 * 614e9)},)
    assert components["GlobalBuffer"].size == 128 * 2**23
    assert local.size == 4 * 2**23
    (across_cores,) = local.spatial
    assert (across_cores.fanout, across_cores.reuse, across_cores.may_reuse) == (4, {"W0"}, frozenset())
    assert components["Register"].size == 8
    assert components["ProcessingElement"].fanout == 128 * 128
    assert mac.latency == ({"compute": 1 / 1.05e9},)
    assert mac.action("compute").energy == 0.084e-12


def test_parameters_change_the_numbers() -> None:
    made = resolved(tpu_v4i_like(cores=8, array_rows=64, array_cols=32, local_buffer_size="2 MiB", scalar_lanes=16))
    components = {c.name: c for c in made["First MAC False"]}
    assert components["LocalBuffer"].fanout == 8
    assert components["LocalBuffer"].size == 2 * 2**23
    assert [d.fanout for d in components["ProcessingElement"].spatial] == [32, 64]
    scalar = {c.name: c for c in made["Softmax ScalarUnit False"]}["ScalarUnit"]
    assert scalar.latency == ({"compute": 1 / (16 * 1.05e9)},)


class _EntryPoint:
    """This plugin as if it were installed, so that the test needs no installation."""

    name, value, dist = "tpu_arch", "ffcore_tpu_arch.plugin", None

    def load(self) -> object:
        return plugin


def test_found_by_name_through_the_manager() -> None:
    manager = PluginManager([_EntryPoint()])
    assert manager.problems() == ()
    assert manager.names("arch") == ("tpu_v4i_like", "tpu_v4i_like_constrained")
    assert manager.get("arch", "tpu_v4i_like", cores=8) == tpu_v4i_like(cores=8)

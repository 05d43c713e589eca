"""Every case of the shared folder ``dialect`` against what the field's reference tool makes of it."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import pytest

import ffcore as ff
from ffcore.errors import SpecError, SpecWarning
from ffcore.mapper.ffm import Metrics
from ffcore.spec.source import load_sources, to_plain

DIALECT = Path(__file__).resolve().parents[3] / "shared" / "dialect"
pytestmark = pytest.mark.skipif(not DIALECT.is_dir(), reason=f"no cases at {DIALECT}")

# Where ours differs on purpose: energy and latency, or a part of the refusal.
RULED: dict[str, tuple[float, float] | str] = {
    "28_tile_shape": (3520, 64),  # enforced
    "15b_same_tensor_two_projections": (3136, 64),  # both accesses are read, as two tensors would be
    "16l_expr": "only a named function can be called",
    "16q_expr": "the name 'spec' is undefined",
    "16r_expr": "the name 'workload' is undefined",
    "16t_expr": "the name 'spec' is undefined",
    "16w_expr": "the name 'workload' is undefined",
    # Errors there that are none here.
    "11_mapper_memory_limit_per_process": (3136, 64),
    "32_duplicate_same_file_anchor_extra_key": (3136, 64),
    "34_container_enabled": (2624, 32),
    "35_hierarchical": (2624, 32),
    "40_lowercase_rank": (3136, 64),
}
# Read, and said to change nothing.
WARNED = {
    "10_backing_storage_size_scale": "backing_storage_size_scale has no effect",
    "11_mapper_explore_loop_orders": "explore_loop_orders has no effect",
    "11_mapper_max_loops_minus_ranks": "max_loops_minus_ranks has no effect",
    "11_mapper_memory_limit_per_process": "memory_limit_per_process has no effect",
    "11_mapper_out_of_order_hierarchy_explo": "out_of_order_hierarchy_explore_\\w+ has no effect",
    "17b_iss_two_variables": "all of the box around it counts",
    "26_extra_action_name": "'idle'.*never counted",
    "32_duplicate_same_file_anchor_extra_key": "base has no effect: no part of a spec",
    "36_total_area_given": "total_area has no effect",
}
# Of theirs that are refused there too: what ours says.
REFUSED = {
    "16s_expr": "the name 'variables' is undefined",
    "19_einsum_named_Total": "may not be called 'Total'",
    "20_einsum_text_conflict": "which the entry contradicts",
    "21_einsum_text_bad_accesses": "expected a list of tensors",
    "22_einsum_text_nameless_access": "needs the name of a tensor",
    "38_bits_per_value_overlap": "both name tensor A",
    "39_tensor_order_overlap": "'A | B' and 'B | C' overlap, both have B",
    "44_no_size": "Memory needs a field 'size'",
    "45_toll_no_direction": "Toll needs a field 'direction'",
}


def peer() -> dict[str, tuple[float, float] | None]:
    """Case -> (energy, latency); None: an error."""
    if not DIALECT.is_dir():
        return {}
    found: dict[str, tuple[float, float] | None] = {}
    for line in (DIALECT / "peer_results.txt").read_text().splitlines():
        name = line.split()[1].removesuffix(".yaml")
        numbers = re.search(r" E=(\S+) L=(\S+) n=1$", line)
        found[name] = (float(numbers[1]), float(numbers[2])) if numbers else None
    return found


PEER = peer()


@pytest.mark.parametrize("name", PEER)
def test_spec(name: str) -> None:
    expected = RULED.get(name, PEER[name] or REFUSED.get(name, "no such text"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if isinstance(expected, str):
            with pytest.raises(SpecError, match=re.escape(expected)) as refused:
                optimum(name)
            problem = refused.value.problems[0]
            assert problem.position is not None
            assert problem.position.line > 0
        else:
            assert optimum(name) == pytest.approx(expected, rel=1e-9)
    warned = [str(w.message) for w in caught if issubclass(w.category, SpecWarning)]
    assert len(warned) == (name in WARNED)
    assert not warned or re.search(WARNED[name], warned[0])


def optimum(name: str) -> tuple[float, float]:
    spec = ff.Spec.from_yaml(DIALECT / "specs" / f"{name}.yaml")
    spec.mapper.ffm.metrics = Metrics.ENERGY
    mappings = ff.map_workload_to_arch(spec, n_jobs=1)
    return mappings.energy(), mappings.latency()


LOADED = {
    "assert": {"a": 1},
    "cwd": {"a": f"'{DIALECT / 'load'}'"},
    "extends": {"a": "1+2+3", "b": [0, 1, 2], "c": 3.14, "d": 341, "e": 1},
    "import_macro": {"a": 2},
    "inc_all_glob": {"l": {"b": 7}},
    "inc_glob": {"a": "1"},
    "inc_kw": {"b": 3},
    "inc_noinherit": {"b": 7},
    "inc_text_kw": {"b": 3},
    "jinclude": {"a": 1},
    "merge_list": {"base": {"l": [4, 5]}, "m": {"l": [1, 4, 5]}},
    "merge_list_first": {"base": {"l": [4, 5]}, "m": {"l": [1]}},
    "nomerge": {"base": {"l": [4, 5], "n": {"x": 1}}, "m": {"l": [1], "n": {"y": 2}}},
    "strings": {"s": "hello", "l": ["a", "b"], "d": {"k": "v w"}},
    "sub/cwd": {"a": f"'{DIALECT / 'load' / 'sub'}'"},
    "tag_include": {"a": 3},
    "tag_includedir": {"l": [{"x": 1}, {"x": 2}]},
}


@pytest.mark.parametrize("name", LOADED)
def test_file_loads(name: str) -> None:
    loaded = to_plain(load_sources([DIALECT / "load" / f"{name}.yaml"], {}))
    assert loaded == {"variables": LOADED[name]}


def test_environment_cannot_be_set() -> None:
    with pytest.raises(SpecError, match="'setenv' is undefined"):
        load_sources([DIALECT / "load" / "setenv.yaml"], {})


@pytest.mark.parametrize(
    ("name", "value"),
    [("q1", "1 + 1"), ("q2", "2 * 3"), ("q3", "True"), ("q8", "{'k': 2}['k']")],
)
def test_quoted_text_in_variables_is_text(name: str, value: str) -> None:
    spec = ff.Spec.from_yaml(DIALECT / "specs" / "00_base.yaml", DIALECT / "load" / "q" / f"{name}.yaml")
    spec.variables["found"] = "len(b)" if "b" in spec.variables else "len(d)"
    spec.arch.nodes["Inner"].size = "1000 + found"
    component = spec.problem().einsums[0].paths[0].component(1, {"Outer": frozenset("ABC")})
    assert component.size == 1000 + len(value)


def more(name: str) -> ff.Spec:
    return ff.Spec.from_yaml(DIALECT / "more" / f"{name}.yaml")


def test_array_is_the_container_behind_what_stands_inside() -> None:
    spec = more("07_equiv")
    spec.mapper.ffm.metrics = Metrics.ENERGY
    assert ff.map_workload_to_arch(spec, n_jobs=1).energy() == pytest.approx(1523.2)


@pytest.mark.parametrize(("name", "energy"), [("leak_default", 19664), ("leak_gated", 9552)])
def test_a_fork_gates_what_stands_on_its_other_side(name: str, energy: float) -> None:
    spec = more(name)
    spec.mapper.ffm.metrics = Metrics.ENERGY
    mappings = ff.map_workload_to_arch(spec, n_jobs=1)
    assert (mappings.energy(), mappings.latency()) == pytest.approx((energy, 2176))


MAPPINGS = ["base", "binding", "noncanonical", "pattern", "persistent", "reservation", "toll_in_mapping"]


@pytest.mark.parametrize("name", MAPPINGS)
def test_mapping_is_evaluated(name: str) -> None:
    mappings = ff.evaluate_mapping(more(f"map_{name}"))
    assert (mappings.energy(), mappings.latency()) == (3136, 64)


def test_time_of_an_imperfect_mapping_is_ruled() -> None:
    mappings = ff.evaluate_mapping(more("map_imperfect"))
    assert (mappings.energy(), mappings.latency()) == (3392, 96)


@pytest.mark.parametrize(
    ("name", "message"),
    [("n_iter", "unknown field 'calculated_n_iterations'"), ("tile_none", "the field 'tile_shape' is missing")],
)
def test_mapping_is_refused_as_there(name: str, message: str) -> None:
    with pytest.raises(SpecError, match=message):
        ff.evaluate_mapping(more(f"map_{name}"))

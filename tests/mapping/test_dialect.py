"""The YAML dialect of mapping trees: what is read, what is refused, and with which line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ffcore.errors import SpecError
from ffcore.mapping import tree
from ffcore.mapping.check import check_mapping
from ffcore.mapping.convert import tree_to_nests
from ffcore.mapping.dialect import from_yaml, to_data, to_yaml, tree_from_node
from ffcore.model.mapping import evaluate_joint
from ffcore.spec.problem import Problem
from ffcore.spec.source import load_sources
from tests.model.problems import einsum, matmul_chain, tensor

EXAMPLES = Path(__file__).resolve().parents[2].parent / "shared" / "peer_examples" / "mappings"

EVERY_NODE = tree.MappingTree(
    (
        tree.Storage(("T0", "W0"), "MainMemory"),
        tree.Storage(("T1",), "GlobalBuffer", einsums=("A", "B")),
        tree.Toll(("T0",), "Bus"),
        tree.Temporal({"A": "m", "B": "p"}, {"A": 4, "B": 2}),
        tree.Spatial("n", 2, "Array", {"A": "X", "B": "Y"}),
        tree.Sequential(
            (tree.Nested((tree.Temporal("no", 1), tree.Compute("A", "null"))), tree.Compute("B", "it's a MAC"))
        ),
    )
)


def test_every_node_survives() -> None:
    assert from_yaml(to_yaml(EVERY_NODE)) == EVERY_NODE


@pytest.mark.parametrize(
    "name",
    [
        "a b",
        " a ",
        "it's",
        '"a"',
        "a: b",
        "a #b",
        "#",
        "é😀",
        "{{ 7 * 7 }}",
        "{% if %}",
        "{# a",
        "a\\nb\\",
        "- a",
        "*a",
        "!a",
        "<<",
        "~",
        "1e3",
        "null",
        "=x",
        "a,b",
        "[a]",
        "a}",
        "x" * 3000,
        "{" * 300,
    ],
)
def test_every_name_survives(name: str) -> None:
    mapping = tree.MappingTree(
        (tree.Storage((name,), name, einsums=(name,)), tree.Temporal({name: "m"}, {name: 2}), tree.Compute(name, name))
    )
    assert from_yaml(to_yaml(mapping)) == mapping


def test_data_is_json() -> None:
    data = json.loads(json.dumps(to_data(EVERY_NODE)))
    assert data["nodes"][0] == {"type": "Storage", "tensors": ["T0", "W0"], "component": "MainMemory"}
    assert data["nodes"][3]["tile_shape"] == {"A": 4, "B": 2}
    assert data["nodes"][5]["nodes"][0]["nodes"][1] == {"type": "Compute", "einsum": "A", "component": "null"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("maping: {nodes: []}", "m.yaml:1: there is no section 'mapping'; did you mean 'maping'?"),
        ("mapping: [1]", "m.yaml:1: mapping: must be 'nodes:' and a list of nodes"),
        ("mapping: {}", "m.yaml:1: mapping: the field 'nodes' is missing"),
        ("mapping: {nodes: 3}", "m.yaml:1: mapping.nodes: must be a list of nodes"),
        (
            "mapping:\n  nodes:\n  - !Temporl {rank_variable: m, tile_shape: 1}",
            "m.yaml:3: mapping.nodes[0]: unknown node !Temporl; there are: !Storage, !Toll, !Temporal, !Spatial, "
            "!Compute, !Nested, !Sequential; did you mean '!Temporal'?",
        ),
        (
            "mapping:\n  nodes:\n  - {rank_variable: m}",
            "m.yaml:3: mapping.nodes[0]: a node needs a tag that says what it is; there are: ",
        ),
        ("mapping:\n  nodes:\n  - !Storage 3", "m.yaml:3: mapping.nodes[0]: !Storage must be a mapping of fields"),
        (
            "mapping:\n  nodes:\n  - !Temporal\n    rank_variable: m\n    tile_shap: 1",
            "m.yaml:5: mapping.nodes[0].tile_shap: unknown field 'tile_shap'; did you mean 'tile_shape'?\n"
            "m.yaml:3: mapping.nodes[0]: the field 'tile_shape' is missing",
        ),
        (
            "mapping: {nodes: [!Temporal {rank_variable: m, tile_shape: 0}]}",
            "m.yaml:1: mapping.nodes[0].tile_shape: must be a whole number of at least 1",
        ),
        (
            "mapping: {nodes: [!Temporal {rank_variable: m, tile_shape: {A: true}}]}",
            "m.yaml:1: mapping.nodes[0].tile_shape.A: must be a whole number of at least 1",
        ),
        (
            "mapping: {nodes: [!Storage {tensors: [[A]], component: M}]}",
            "m.yaml:1: mapping.nodes[0].tensors[0]: must be a name",
        ),
        ("mapping: {nodes: [!Compute {einsum: , component: M}]}", "m.yaml:1: mapping.nodes[0].einsum: must be a name"),
    ],
)
def test_refused(text: str, message: str) -> None:
    with pytest.raises(SpecError) as caught:
        from_yaml(text, "m.yaml")
    assert message in str(caught.value)


def test_all_problems_at_once() -> None:
    with pytest.raises(SpecError) as caught:
        from_yaml("mapping:\n  nodes:\n  - !Temporal {tile_shape: x}\n  - !Nested\n    nodes:\n    - !Q {}\n", "m.yaml")
    assert [p.position.line for p in caught.value.problems if p.position] == [3, 3, 6]


# -- mappings that others wrote -----------------------------------------------------------------------

needs_examples = pytest.mark.skipif(not EXAMPLES.is_dir(), reason="the folder shared/peer_examples is absent")


def example(name: str, **jinja: object) -> tree.MappingTree:
    section = load_sources([EXAMPLES / name], jinja).get("mapping")
    assert section is not None
    return tree_from_node(section)


def matvecs() -> Problem:
    y = [tensor("A", "na"), tensor("B", "na", "ny"), tensor("Y", "ny", output=True)]
    z = [tensor("Y", "ny"), tensor("C", "ny", "nz"), tensor("Z", "nz", output=True)]
    return Problem((einsum("Y", {"na": 4, "ny": 3}, y, shared=["Y"]), einsum("Z", {"ny": 3, "nz": 4}, z, shared=["Y"])))


@needs_examples
@pytest.mark.parametrize(
    ("name", "n", "m", "kn", "energy", "latency", "peak"),
    [
        ("unfused_matmuls_to_simple.yaml", 1, 64, 32, 2228224, 65536, 8 * (32 + 1024 + 2048)),
        ("fused_matmuls_to_simple.yaml", 2, 8, 4, 9472, 256, 320),
    ],
)
def test_published_numbers(name: str, n: int, m: int, kn: int, energy: float, latency: float, peak: float) -> None:
    problem = matmul_chain(n, m, kn)
    mapping = example(name, N_EINSUMS=n)
    check_mapping(problem, mapping)
    joint = evaluate_joint(problem, tree_to_nests(problem, mapping))
    assert (joint.total_energy, joint.total_latency) == (energy, latency)
    if n == 2:
        assert joint.peak_bits("GlobalBuffer") == peak


@needs_examples
@pytest.mark.parametrize("n", [1, 2, 3])
@pytest.mark.parametrize("name", ["unfused_matmuls_to_simple.yaml", "fused_matmuls_to_simple.yaml"])
def test_matmul_examples(name: str, n: int) -> None:
    problem, mapping = matmul_chain(n, 8, 4), example(name, N_EINSUMS=n)
    check_mapping(problem, mapping)
    assert evaluate_joint(problem, tree_to_nests(problem, mapping)).total_latency == n * 128
    assert from_yaml(to_yaml(mapping)) == mapping


@needs_examples
@pytest.mark.parametrize(
    "name",
    ["unfused_matvecs_to_simple.yaml", "fused_matvecs_to_simple_tiled.yaml", "fused_matvecs_to_simple_untiled.yaml"],
)
def test_matvec_examples(name: str) -> None:
    problem, mapping = matvecs(), example(name)
    check_mapping(problem, mapping)
    assert evaluate_joint(problem, tree_to_nests(problem, mapping)).total_latency == 24

"""Hops over networks: the published figures, and every link that a value passes counted one by one.

The count knows nothing of formulas: it puts each instance at its place, and sends each value along the links.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import product
from pathlib import Path

import attrs
import pytest

import ffcore as ff
from ffcore.errors import SpecError
from ffcore.mapping.nest import Holder, Nest, Spatial, Temporal
from ffcore.model.evaluate import evaluate_nest
from ffcore.model.types import NestEvaluation
from ffcore.spec.problem import EinsumProblem
from tests.laws import Packets

SHARED = Path(__file__).resolve().parents[3] / "shared"
EXAMPLES = SHARED / "dialect" / "network_examples"
MATMULS = SHARED / "peer_examples" / "workloads" / "basic" / "matmuls.yaml"
shared = pytest.mark.skipif(not EXAMPLES.is_dir(), reason=f"no examples at {EXAMPLES}")


def example(arch: str, **sizes: int) -> NestEvaluation:
    kind = "_1d" if "1d" in arch else ""
    mapping = EXAMPLES / f"one_matmul_to_networked_hierarchical{kind}.yaml"
    given = {"N_EINSUMS": 1, "M": 8, "KN": 8, "M_TILE": 4, "MAC_TILE": 2, **sizes}
    spec = ff.Spec.from_yaml(EXAMPLES / f"{arch}.yaml", MATMULS, mapping, **given)
    return ff.evaluate_mapping(spec).evaluations[0].evaluations[0]


def hops_of(found: NestEvaluation) -> dict[str, tuple[float, ...]]:
    """Network -> hops of T0, T1 and W0."""
    hops = {(k.component, k.tensor): n.total for k, n in found.actions.items() if k.action == "hop"}
    networks = dict.fromkeys(network for network, _ in hops)
    return {network: tuple(hops[network, tensor] for tensor in ("T0", "T1", "W0")) for network in networks}


@shared
def test_figures_of_one_line() -> None:
    found = example("hierarchical_1d")
    assert hops_of(found) == {"MacArray": (2048, 2048, 2048), "PeArray": (768, 1536, 1536)}
    assert found.latency["PeArray"] == found.total_latency == 4  # max_hops at one hop a second and link
    assert found.latency["MacArray"] == 2
    assert found.total_energy == 9984


@shared
@pytest.mark.parametrize(
    ("arch", "sizes", "hops"),
    [  # what the field's reference tool counts
        (
            "hierarchical",
            {"KN": 4},
            {"MacArray": (768, 1024, 1024), "PeArray": (384, 512, 256)},
        ),
        (
            "hierarchical_1d_all_to_all",
            {"KN": 16, "MAC_TILE": 4},
            {"MacArray": (12288, 12288, 12288), "PeArray": (1536, 3072, 6144)},
        ),
    ],
)
def test_figures_of_meshes_and_switches(arch: str, sizes: dict[str, int], hops: dict[str, tuple[float, ...]]) -> None:
    assert hops_of(example(arch, **sizes)) == hops


@shared
def test_a_hop_without_a_throughput_has_as_many_as_there_are() -> None:
    found = example("hierarchical_switched", KN=4)
    assert found.latency["PeArray"] == pytest.approx(4 * 1e-9 / 4)  # 2 + 2 links at most, each 1/4 ns
    assert found.total_energy == 93440


# ---- every link counted

ARCH = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 0, throughput: inf}, {name: write, energy: 0, throughput: inf}]
  - !Network
    name: Outer
    topology: TOPOLOGY
    actions: [{name: hop, energy: 1, latency: 0, throughput: 1}]
  - !Container
    name: Rows
    spatial: [{name: Y, fanout: 12, may_reuse: REUSE}]
  - !Network
    name: Inner
    actions: [{name: hop, energy: 1, latency: 0, throughput: 1}]
  - !Compute
    name: MAC
    spatial: [{name: X, fanout: 12}, {name: Z, fanout: 4}]
    actions: [{name: compute, energy: 1, throughput: inf}]
workload:
  rank_sizes: {M: 12, K: 12, N: 12}
  bits_per_value: {All: 1}
  einsums:
  - name: E
    tensor_accesses:
    - {name: A, projection: [m, k]}
    - {name: B, projection: [k, n]}
    - {name: C, projection: [m, n], output: true}
"""
LINES = (("Rows", "Y"), ("MAC", "X"), ("MAC", "Z"))
TENSORS = {"A": "mk", "B": "kn", "C": "mn"}

Step = tuple[str, str, str, int]  # component, dimension, variable, trips: outermost first, as networks see them


def problem(topology: str, reuse: str) -> EinsumProblem:
    text = ARCH.replace("TOPOLOGY", topology).replace("REUSE", reuse)
    return ff.Spec.from_string(text).problem().einsums[0]


def random_steps(source: random.Random) -> list[Step]:
    left, steps = dict.fromkeys("mkn", 12), []
    for component, dimension in LINES:
        free = 4 if dimension == "Z" else 12
        for v in "mkn":
            n = source.choice([d for d in (1, 1, 2, 3, 4) if d <= free and left[v] % d == 0])
            left[v], free = left[v] // n, free // n
            if n > 1:
                steps.append((component, dimension, v, n))
    return steps


def nest_of(steps: Sequence[Step], source: random.Random) -> Nest:
    """All time outside, then the spatial loops, those across one component in any order."""
    left = dict.fromkeys("mkn", 12)
    inside = dict.fromkeys("mkn", 1)
    for _, _, v, n in steps:
        inside[v] *= n
    nodes: list[Holder | Temporal | Spatial] = [Holder(t, "DRAM") for t in TENSORS]
    for v in source.sample("mkn", 3):
        left[v] = inside[v]
        nodes.append(Temporal(v, left[v]))
    for component in ("Rows", "MAC"):
        own = [s for s in steps if s[0] == component]
        for _, dimension, v, n in source.sample(own, len(own)):
            left[v] //= n
            nodes.append(Spatial(v, left[v], component, dimension))
    return Nest("E", "MAC", tuple(nodes))


def links(steps: Sequence[Step], place: Sequence[int], topology: str) -> Iterator[tuple[str, object, int]]:
    """(network, link, how many links of the mesh it stands for) on the way to an instance.

    Loop by loop from the outermost: along the line of those that the same loop makes, neighbours a stride apart.
    """
    for k, (component, dimension, _, _) in enumerate(steps):
        stride = 1
        for inner in steps[k + 1 :]:
            stride *= inner[3] if inner[:2] == (component, dimension) else 1
        network = "Outer" if component == "Rows" else "Inner"
        if network == "Outer" and topology == "all_to_all":
            if place[k]:
                yield network, (k, place[:k], place[k]), 1
        else:
            for step in range(1, place[k] + 1):
                yield network, (k, place[:k], step), stride


def counted(steps: Sequence[Step], topology: str, reuse: str) -> tuple[Counter[tuple[str, str]], Counter[object]]:
    """Hops of each network and tensor in one step of time, and how often each link is passed."""
    hops: Counter[tuple[str, str]] = Counter()
    passed: Counter[object] = Counter()
    for tensor, variables in TENSORS.items():
        ways: dict[object, set[tuple[str, object, int]]] = {}  # of each value, the links that it passes
        for place in product(*(range(n) for *_, n in steps)):
            alone = [tensor if c == "Rows" and tensor not in reuse else "" for c, *_ in steps]
            value = tuple(p if s[2] in variables or a else 0 for p, s, a in zip(place, steps, alone, strict=True))
            ways.setdefault(value, set()).update(links(steps, place, topology))
        for way in ways.values():
            for network, link, length in way:
                hops[network, tensor] += length
                passed[network, link] += 1
    return hops, passed


def busiest(steps: Sequence[Step], passed: Mapping[object, int], network: str, topology: str) -> int:
    """Values over the busiest link: the first one of a line, which all of its loops use; of a switch, the way in."""
    best = 0
    for line in LINES:
        total = 0
        for k, step in enumerate(steps):
            if step[:2] == line:
                own = [n for (net, (loop, _, at)), n in passed.items() if (net, loop) == (network, k) and at == 1]  # type: ignore[misc]
                total += max(own, default=0)
        best = max(best, total)
    return best


@pytest.mark.parametrize("topology", ["mesh", "all_to_all"])
@pytest.mark.parametrize("reuse", ["All", "A | C"])
def test_every_link_that_a_value_passes_is_counted(topology: str, reuse: str) -> None:
    einsum, source = problem(topology, reuse), random.Random(f"{topology} {reuse}")
    shared_lines = 0
    for _ in range(40):
        steps = random_steps(source)
        found = evaluate_nest(einsum, nest_of(steps, source))
        times = 12**3
        for *_, n in steps:
            times //= n
        hops, passed = counted(steps, topology, "ABC" if reuse == "All" else "AC")
        actions = {(k.component, k.tensor): n.total for k, n in found.actions.items() if k.action == "hop"}
        assert {k: n for k, n in actions.items() if n} == {k: n * times for k, n in hops.items() if n}, steps
        shared_lines += len({s[:2] for s in steps}) < len(steps)
        if topology == "mesh":
            for network in ("Outer", "Inner"):
                assert found.latency[network] == times * busiest(steps, passed, network, topology), (steps, network)
    assert shared_lines > 10


# ---- what files say


def refused(old: str, new: str) -> str:
    text = ARCH.replace("TOPOLOGY", "mesh").replace("REUSE", "All")
    assert old in text
    with pytest.raises(SpecError) as error:
        ff.Spec.from_string(text.replace(old, new, 1)).problem()
    assert len(error.value.problems) == 1
    return str(error.value)


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("topology: mesh", "topology: mehs", "Outer.topology must be one of mesh, all_to_all, got 'mehs'"),
        (
            "topology: mesh",
            "total_latency: actions[0].n_calls",
            "depends on max_hops and max_link_traffic, not on n_calls",
        ),
        ("topology: mesh", "total_latency: 3 - max_hops", "max_hops"),
        ("name: hop, energy: 1", "name: hopp, energy: 1", "Network Outer has no action 'hopp'; it has hop"),
        ("name: hop, energy: 1", "name: hop", "Outer has no energy of hop"),
        ("topology: mesh", "tensors: {keep: All}", "unknown field 'tensors'"),
    ],
)
def test_bad_input_is_one_sentence(old: str, new: str, sentence: str) -> None:
    assert sentence in refused(old, new)


def test_without_actions_a_network_is_free() -> None:
    text = ARCH.replace("TOPOLOGY", "mesh").replace("REUSE", "All")
    text = text.replace("    actions: [{name: hop, energy: 1, latency: 0, throughput: 1}]\n", "")
    einsum = ff.Spec.from_string(text).problem().einsums[0]
    source = random.Random(1)
    found = evaluate_nest(einsum, nest_of(random_steps(source), source))
    assert {k.action for k in found.actions} == {"read", "write", "compute"}
    assert found.total_latency == 0


def test_hops_are_priced_by_a_law() -> None:
    """What docs/howto/networks.md counts by hand, in packets: tiles are single values, so each is one packet."""
    spec = ff.Spec.from_string(ARCH.replace("TOPOLOGY", "mesh").replace("REUSE", "All"))
    einsum = spec.problem().einsums[0]
    holders = [Holder(tensor, "DRAM") for tensor in TENSORS]
    nest = Nest("E", "MAC", (*holders, Temporal("n", 1), Temporal("k", 1), Spatial("m", 1, "MAC", "X")))
    plain = evaluate_nest(einsum, nest)
    priced = evaluate_nest(attrs.evolve(einsum, law=Packets(payload=4.0, header=0.5)), nest)
    for key, joules in plain.energy.items():
        of_one = 0.5 + 4.0 if key.action == "hop" else 1.0  # a value of one bit took one hop of one J
        assert priced.energy[key] == joules * of_one
    assert sum(key.action == "hop" for key in plain.energy) == 3
    assert priced.latency == plain.latency  # one action for each value, either way
    wide = attrs.evolve(einsum, law=Packets(payload=0.5, header=0.0))
    assert evaluate_nest(wide, nest).latency["Inner"] == 2 * plain.latency["Inner"]

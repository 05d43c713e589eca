"""Imperfect factors: the fast path finds what the exhaustive mapper finds, on problems with prime and odd bounds.

Numbers in the failure message reproduce a problem: ``odd_problem(number, n_einsums)``.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import pytest

import ffcore as ff
from ffcore.errors import FFError
from ffcore.explore.default import DefaultExplorer
from ffcore.explore.search import beat, boxes
from ffcore.mapspace.total import MapspaceCounter
from ffcore.model.default import DefaultModel
from ffcore.numbers import imperfect_tiles
from ffcore.spec.problem import Metric, Problem
from ffcore.templates import einsum_templates
from ffcore_exhaustive.pmappings import exhaustive_pmappings, perfect_only
from ffcore_exhaustive.templates import templates
from ffcore_exhaustive.tiles import satisfies_spatial_limits, tile_chains, tile_choices
from tests.odd_problems import odd_problem
from tests.oracle.compare import TOLERANCE, batches, dominated, fast, joined, reference, same, unmatched
from tests.perfect import perfect_factors

# The exhaustive mapper takes more than 0.2 s on these seeds, by the number of Einsums.
LONG = {
    1: {0, 8, 12, 13, 16, 23, 24, 31, 33, 35, 36, 38, 39},
    2: {2, 4, 5, 8, 9, 10, 11, 12, 18, 19, 21, 24, 25, 32, 33, 34, 36, 39},
    3: {0, 1, 4, 5, 9},
}  # fmt: skip
BATCHES = [
    pytest.param(n, *seeds.values, id=f"{n} of {seeds.id}", marks=seeds.marks)
    for n, quick in ((1, 30), (2, 30), (3, 12))
    for seeds in batches(range(170), quick, LONG[n])
]


def disagreement(seed: int, n_einsums: int) -> str | None:
    """What the two sides see that the other does not; None if they agree."""
    problem = odd_problem(seed, n_einsums)
    if problem is None:
        return None
    try:
        ours, expected = fast(problem), reference(problem)
    except FFError as error:
        if "does not offer imperfect factors" in str(error):  # out-of-order spatial loops
            return None
        raise
    if same(ours, expected) and not dominated(ours):
        return None
    return f"{seed}, {n_einsums}: only fast {unmatched(ours, expected)}, only reference {unmatched(expected, ours)}"


@pytest.mark.parametrize(("n_einsums", "seeds"), BATCHES)
def test_same_pareto_set_as_the_exhaustive_mapper(n_einsums: int, seeds: Sequence[int]) -> None:
    assert [d for s in seeds if (d := disagreement(s, n_einsums)) is not None] == []


@pytest.mark.parametrize("seeds", batches(range(200, 330), 210, {200, 201, 204, 208}))
@pytest.mark.parametrize("n_boxes", [0, 1, 30])
def test_the_same_with_known_mappings_to_beat(
    seeds: Sequence[int], n_boxes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Some boxes of states, or all in few, make bounds weak; 0: dense lists and bounds of each state."""
    monkeypatch.setattr(beat, "WORTH", 0)
    monkeypatch.setattr(beat, "_FEW", 0)
    if n_boxes:
        monkeypatch.setattr(beat, "MANY", 0)
        monkeypatch.setattr(boxes, "MANY", n_boxes)
    assert [d for s in seeds if (d := disagreement(s, 1)) is not None] == []


@pytest.mark.parametrize("n_einsums", [1, 2])
@pytest.mark.parametrize("seed", range(300, 315))
def test_what_was_found_evaluates_to_the_same(seed: int, n_einsums: int) -> None:
    problem = odd_problem(seed, n_einsums)
    for mapping in joined(problem) if problem is not None else ():
        assert problem is not None
        found = DefaultModel().evaluate(problem, list(mapping.nests))
        if Metric.ENERGY in problem.options.metrics:
            assert found.total_energy == pytest.approx(mapping.energy, rel=TOLERANCE)
        if Metric.LATENCY in problem.options.metrics:
            assert found.total_latency == pytest.approx(mapping.latency, rel=TOLERANCE)


@pytest.mark.parametrize("seed", range(20))
def test_never_worse_than_perfect_factors(seed: int) -> None:
    problem = odd_problem(seed, 1)
    if problem is None or any(d.min_usage for t in _templates(problem) for c in t.components for d in c.spatial):
        pytest.skip("refused, or min_usage may prefer a fuller array to a better one")
    both = Metric.ENERGY | Metric.LATENCY
    perfect = attrs.evolve(
        problem.options, metrics=both, explore_imperfect_temporal_loops=False, explore_imperfect_spatial_loops=False
    )
    imperfect = attrs.evolve(
        problem.options, metrics=both, explore_imperfect_temporal_loops=True, explore_imperfect_spatial_loops=True
    )
    before, after = (fast(attrs.evolve(problem, options=options)) for options in (perfect, imperfect))
    assert unmatched(before, after) == []


def _templates(problem: Problem) -> list[ff.templates.Template]:
    return [t for e in problem.einsums for t in einsum_templates(e, problem.options)]


@pytest.mark.parametrize("seed", range(12))
def test_tile_choices_are_counted_like_those_of_the_exhaustive_mapper(seed: int) -> None:
    problem = odd_problem(seed, 1)
    if problem is None:
        pytest.skip("refused: no memory may keep some tensor")
    options, fixed = problem.options, perfect_only(problem)
    for einsum in problem.einsums:
        listed = sum(
            satisfies_spatial_limits(template, options, tiles)
            for template in templates(einsum, options)
            for tiles in tile_choices(template, options, fixed)
        )
        assert MapspaceCounter(options).total(einsum_templates(einsum, options)) == listed


@pytest.mark.parametrize("fanouts", [[], [11], [12, 26], [17]])
def test_tiles_are_those_of_the_exhaustive_mapper(fanouts: list[int]) -> None:
    for bound in range(1, 120):
        expected = tuple(chain[0] for chain in tile_chains(bound, 2, True, fanouts))
        assert imperfect_tiles(bound, frozenset(fanouts)) == expected


# ---- by hand

_SPEC = """
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: inf}, {name: write, energy: 1, throughput: inf}]
  - !Container {name: Array, spatial: [LANES]}
  - !Compute {name: MAC, actions: [{name: compute, energy: 1, throughput: 1}]}
workload:
  rank_sizes: {M: 1, K: 1, N: COLUMNS}
  bits_per_value: {All: 8}
  einsums: ["Y[m, n] = X[m, k] * W[k, n]"]
mapper: {metrics: [latency]}
"""


@pytest.mark.parametrize(
    ("columns", "lanes", "steps", "perfect"),
    [
        (64, "{name: x, fanout: 12}", 6, 8),
        (100, "{name: x, fanout: 4}, {name: y, fanout: 4}", 7, 25),
        (197, "{name: x, fanout: 16}", 13, 197),
    ],
)
def test_steps_on_an_array(columns: int, lanes: str, steps: int, perfect: int) -> None:
    def latency(imperfect: str) -> float:
        text = _SPEC.replace("COLUMNS", str(columns)).replace("LANES", lanes)
        fields = "".join(f", explore_imperfect_{kind}_loops: {imperfect}" for kind in ("temporal", "spatial"))
        spec = ff.Spec.from_string(text.replace("[latency]", f"[latency]{fields}"))
        (mapping,) = ff.map_workload_to_arch(spec, n_jobs=1)
        return float(mapping.latency())

    assert latency("False") == perfect
    assert latency("True") == latency("auto") == latency("[n]") == steps


def test_what_a_weight_tile_that_does_not_divide_reads() -> None:
    """C = 1,408 in tiles of 160 under 32 outer steps: the fraction counts, 32 x 768 x 1,408 weights."""
    spec = ff.Spec.from_string("""
arch:
  nodes:
  - !Memory
    name: DRAM
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 1, throughput: 1}, {name: write, energy: 0, throughput: inf}]
  - !Memory
    name: Buffer
    size: inf
    tensors: {keep: All}
    actions: [{name: read, energy: 0, throughput: inf}, {name: write, energy: 0, throughput: inf}]
  - !Compute {name: MAC, actions: [{name: compute, energy: 0, throughput: inf}]}
workload:
  rank_sizes: {M: 32, K: 768, C: 1408}
  bits_per_value: {All: 1}
  einsums: ["Y[m, c] = X[m, k] * W[k, c]"]
mapping:
  nodes:
  - !Storage {tensors: [X, W, Y], component: DRAM}
  - !Temporal {rank_variable: m, tile_shape: 1}
  - !Storage {tensors: [X, Y], component: Buffer}
  - !Temporal {rank_variable: c, tile_shape: 160}
  - !Storage {tensors: [W], component: Buffer}
  - !Temporal {rank_variable: c, tile_shape: 1}
  - !Temporal {rank_variable: k, tile_shape: 1}
  - !Compute {einsum: Y, component: MAC}
""")
    mapping = ff.evaluate_mapping(spec)
    assert mapping.energy() == 34_603_008 + 32 * 768
    assert "for c in 9 (tile 160, last 128)" in mapping.render().text


def test_where_perfect_factors_have_no_mapping_there_is_none_to_beat(monkeypatch: pytest.MonkeyPatch) -> None:
    """Thirteen columns may run seven at once only with imperfect factors."""
    monkeypatch.setattr(beat, "WORTH", 0)
    monkeypatch.setattr(beat, "_FEW", 0)
    lanes = "{name: x, fanout: 8, loop_bounds: [{expression: n, operator: ==, value: 7}]}"
    text = _SPEC.replace("COLUMNS", "13").replace("LANES", lanes).replace("[latency]", "[energy, latency]")
    spec = perfect_factors(ff.Spec.from_string(text))
    with pytest.raises(ff.NoValidMappingError):
        ff.map_workload_to_arch(spec, n_jobs=1)
    spec.mapper.ffm.explore_imperfect_spatial_loops = True
    problem = spec.problem()
    assert same(fast(problem), reference(problem))


def test_a_law_of_a_plugin_is_refused() -> None:
    problem = odd_problem(0, 1)
    assert problem is not None
    einsums = tuple(attrs.evolve(e, law=ff.model.law.Law()) for e in problem.einsums)
    with pytest.raises(FFError, match="does not offer imperfect factors under a law"):
        DefaultExplorer().explore(attrs.evolve(problem, einsums=einsums))


def test_names_of_no_rank_variable_are_refused() -> None:
    text = _SPEC.replace("COLUMNS", "7").replace("LANES", "{name: x, fanout: 3}")
    text = text.replace("[latency]", "[latency], explore_imperfect_temporal_loops: [m, q]")
    with pytest.raises(ff.SpecError, match="there is no rank variable 'q'"):
        ff.Spec.from_string(text).problem()


def test_an_einsum_alone_has_the_tiles_that_it_has_beside_the_others() -> None:
    """p is inside ``p + r`` in the first Einsum, so that its tiles are perfect factors in the second too."""
    spec = ff.Spec.from_string(_SPEC.replace("COLUMNS", "7").replace("LANES", "{name: x, fanout: 3}"))
    spec.workload = ff.Spec.from_string(
        "workload: {rank_sizes: {P: 5, R: 3, C: 2, K: 2}, bits_per_value: {All: 1}, "
        "einsums: ['T[p, c] = I[X: p + r] * F[r, c]', 'O[p, k] = T[p, c] * W[c, k]']}"
    ).workload
    spec.mapper.ffm.explore_imperfect_temporal_loops = True
    problem = spec.problem()
    alone = attrs.evolve(problem, einsums=problem.einsums[1:])
    assert "k" in problem.einsums[1].imperfect
    assert "p" not in problem.einsums[1].imperfect
    assert alone.einsums == problem.einsums[1:]
    listed = ff.plugin.get("explorer", "exhaustive").explore(problem).pmappings
    assert {name: len(found) for name, found in listed.items()} == {
        name: len(found) for name, found in exhaustive_pmappings(problem).items()
    }


def test_one_wrong_name_alone_is_a_rank_variable_too() -> None:
    text = _SPEC.replace("COLUMNS", "7").replace("LANES", "{name: x, fanout: 3}")
    for written in ("mm", "[mm]", "mm, n"):
        with pytest.raises(ff.SpecError, match=r"there is no rank variable 'mm'.*did you mean 'm'"):
            ff.Spec.from_string(
                text.replace("[latency]", f"[latency], explore_imperfect_temporal_loops: '{written}'")
            ).problem()

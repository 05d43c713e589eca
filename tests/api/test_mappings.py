"""Mappings and their tables: numbers by hand, sums that agree, columns cut down."""

from __future__ import annotations

from pathlib import Path

import pytest

import ffcore as ff
from ffcore.errors import FFError
from ffcore.results import Mappings, ResultTable
from ffcore.results.columns import SEP, join, split
from tests.api.specs import chain, one_matmul, with_mapping

UNFUSED = """
mapping:
  nodes:
  - !Storage {tensors: [A, W, T], component: Main}
  - !Temporal {rank_variable: m, tile_shape: 1}
  - !Temporal {rank_variable: k, tile_shape: 1}
  - !Storage {tensors: [A, W], component: Buffer}
  - !Temporal {rank_variable: n, tile_shape: 1}
  - !Compute {einsum: T, component: MAC}
"""


def trade_off() -> ff.Spec:
    return chain(size=8 * 64, n_einsums=2, bandwidth=8)


@pytest.fixture(scope="module")
def front() -> Mappings:
    """A Pareto set: the more goes through the Buffer, the less energy and the more time."""
    found = ff.map_workload_to_arch(trade_off())
    assert len(found) > 1
    return found


@pytest.fixture
def by_hand() -> Mappings:
    """Buffer reads and writes are free here; Main: A 8 values, W 16, T written 16 times and read 16 - 8 times."""
    from ffcore.mapper.ffm import problem_of
    from ffcore.mapping.convert import tree_to_nests
    from ffcore.mapping.dialect import from_yaml
    from ffcore.model.default import DefaultModel
    from ffcore.results.mappings import MappingEntry

    problem = problem_of(one_matmul(8 * 8))
    return Mappings([MappingEntry(problem, tree_to_nests(problem, from_yaml(UNFUSED)), DefaultModel().evaluate)])


def test_matmul_of_64_in_one_memory_by_hand() -> None:
    """Semantics, section 3: 4 MNK b e - MN b e + MNK e_mac."""
    spec = ff.Spec.from_yaml("simple", "matmuls", N_EINSUMS=1, M=64, KN=64)
    spec.arch.nodes["GlobalBuffer"].tensors.may_keep = "Nothing"
    mappings = ff.map_workload_to_arch(spec)
    assert mappings.energy() == 8_617_984
    assert mappings.latency() == 64**3
    assert mappings.access("Total").to_dict() == {"energy": 8_617_984, "latency": 64**3}
    assert mappings.per_compute().access("Total").to_dict() == {"energy": 8_617_984 / 64**3, "latency": 1}
    assert mappings.energy(per_component=True) == {"MainMemory": 8_617_984 - 64**3, "MAC": 64**3}
    parts = mappings.energy(per_einsum=True, per_tensor=True)
    assert parts["Matmul0", "T1"] == 8 * (2 * 64**3 - 64**2)
    assert parts["Matmul0", None] == 64**3


def test_columns_by_hand(by_hand: Mappings) -> None:
    row = by_hand.to_dict()
    main = {"A": 8 * 8, "W": 16 * 8}
    for tensor, bits in main.items():
        assert row[join("T", "energy", "Main", tensor, "read")] == bits
        assert row[join("T", "action", "Main", tensor, "read")] == bits
    assert row[join("T", "energy", "Main", "T", "write")] == 16 * 8
    assert row[join("T", "energy", "Main", "T", "read")] == 8 * 8
    assert row["T<SEP>energy<SEP>MAC<SEP>None<SEP>compute"] == 16
    assert row["T<SEP>latency<SEP>MAC"] == 16
    # one value of A (m and k are outside) and one of W, whose reservation sinks through n
    assert row[join("usage", "Buffer")] == row[join("T", "usage", "Buffer")] == 2 / 8
    assert row["Total<SEP>energy"] == sum(main.values()) + 24 * 8 + 16
    assert row["Total<SEP>latency"] == 16


def test_breakdowns_add_up_to_the_totals(front: Mappings) -> None:
    table = front.access("energy").drop("Total")
    assert table.sum().to_dict(value_if_one_mapping=False)["Total"] == pytest.approx(front.energy())
    for i, mapping in enumerate(front):
        for kind in (["per_einsum"], ["per_component"], ["per_tensor"], ["per_einsum", "per_action", "per_component"]):
            parts = mapping.energy(**dict.fromkeys(kind, True))
            assert sum(parts.values()) == pytest.approx(front.energy()[i])
        assert sum(mapping.latency(per_einsum=True).values()) == pytest.approx(mapping.latency())
        busy = mapping.latency(per_einsum=True, per_component=True)
        for einsum, seconds in mapping.latency(per_einsum=True).items():
            assert max(s for (e, _), s in busy.items() if e == einsum) == seconds


def test_sum_keeps_what_it_is_told_to(front: Mappings) -> None:
    table = front[0].access("energy").drop("Total")
    assert table.sum(0).to_dict() == pytest.approx(front[0].energy(per_einsum=True))
    assert table.sum([1]).to_dict() == pytest.approx(front[0].energy(per_component=True))
    both = {join(*key): x for key, x in front[0].energy(per_einsum=True, per_component=True).items()}
    assert table.sum([0, 1]).to_dict() == pytest.approx(both)
    assert table.sum(-1).to_dict() == pytest.approx(front[0].energy(per_action=True))


def test_access_selects_and_strips(front: Mappings) -> None:
    assert list(front.access("Total").data.columns) == ["energy", "latency"]
    columns = front.access("energy", "MAC").data.columns
    assert list(columns) == ["Matmul0<SEP>None<SEP>compute", "Matmul1<SEP>None<SEP>compute"]
    assert all("energy" not in split(c) for c in front.access("energy").data.columns)
    assert list(front.access("T1", col_idx=3).access("energy").data.columns)
    assert not any("Total" in split(c) for c in front.drop("Total").data.columns)
    with pytest.raises(FFError, match="did you mean 'latency'"):
        front.access("latencey")
    with pytest.raises(FFError, match="say which columns"):
        front.access()


def test_per_compute_divides_by_the_computes() -> None:
    spec = ff.Spec.from_yaml("tpu_v4i_like", "gpt3_6.7B", BATCH_SIZE=1, N_TOKENS=16)
    spec.mapper.ffm.max_fused_loops = 0
    spec.mapper.ffm.metrics = "energy_delay_product"
    mappings = ff.map_workload_to_arch(spec)
    computes = {name: sum(d.values()) for name, d in _computes(mappings).items()}
    assert "I" not in computes  # a copy
    total = sum(computes.values())
    everything, own = mappings.to_dict(), mappings.per_compute(per_einsum=True).to_dict()
    for column, value in mappings.per_compute().to_dict().items():
        assert value == pytest.approx(everything[column] / (1 if "usage" in split(column) else total))
    assert not any(split(c)[0] == "I" and "usage" not in split(c) for c in own)
    column = "V<SEP>energy<SEP>MAC<SEP>None<SEP>compute"
    assert own[column] == pytest.approx(everything[column] / computes["V"]) == pytest.approx(0.084e-12)


def _computes(mappings: Mappings) -> dict[str, dict[str, float]]:
    """Einsum -> compute -> actions, as the model counted them."""
    result: dict[str, dict[str, float]] = {}
    for column, value in mappings.access("action").access("compute").to_dict().items():
        einsum, component, _ = split(column)
        result.setdefault(einsum, {})[component] = value
    return result


def test_indices_slices_and_iteration(front: Mappings) -> None:
    assert len(front[0]) == 1
    assert len(front[1:]) == len(front) - 1
    assert front[-1].energy() == front.energy()[-1]
    assert [m.energy() for m in front] == front.energy()
    assert isinstance(front.table[0], ResultTable)
    assert front.table[0].access("Total").to_dict() == front[0].access("Total").to_dict()
    assert front.table[-1].access("Total").to_dict() == front[-1].access("Total").to_dict()
    with pytest.raises(IndexError, match=f"no mapping {len(front)}"):
        front[len(front)]
    with pytest.raises(IndexError):
        front.table[len(front)]
    with pytest.raises(FFError, match="say which one"):
        front.render()


def test_the_metrics_decide_what_is_returned(front: Mappings) -> None:
    spec = trade_off()
    metrics = ff.mapper.FFM.Metrics
    pairs = list(zip(front.energy(), front.latency(), strict=True))
    assert all(not (a[0] <= b[0] and a[1] <= b[1]) for a in pairs for b in pairs if a is not b)
    best = {
        metrics.ENERGY: min(pairs)[0],
        metrics.LATENCY: min(latency for _, latency in pairs),
        metrics.ENERGY_DELAY_PRODUCT: min(e * t for e, t in pairs),
    }
    for metric, expected in best.items():
        spec.mapper.ffm.metrics = metric
        (one,) = ff.map_workload_to_arch(spec)
        number = {metrics.ENERGY: one.energy(), metrics.LATENCY: one.latency()}.get(
            metric, one.energy() * one.latency()
        )
        assert number == pytest.approx(expected)


def test_what_is_found_is_what_evaluation_of_its_yaml_says(front: Mappings, tmp_path: Path) -> None:
    for i, mapping in enumerate(front):
        spec = trade_off()
        spec.mapping = with_mapping(tmp_path, front.to_yaml(i), "simple").mapping
        again = ff.evaluate_mapping(spec)
        assert again.to_dict() == mapping.to_dict()
        assert again.nests == mapping.nests


def test_what_evaluate_mapping_refuses(tmp_path: Path) -> None:
    with pytest.raises(ff.SpecError, match="there is no mapping"):
        ff.evaluate_mapping(one_matmul(64))
    files = ("simple", "matmuls")
    jinja = {"N_EINSUMS": 1, "M": 4, "KN": 2}
    wrong = UNFUSED.replace("A, W, T", "T0, W0, T1").replace("[A, W]", "[T0, W9]").replace("Main", "MainMemory")
    wrong = wrong.replace("Buffer", "GlobalBuffer").replace("einsum: T", "einsum: Matmul0").replace("k, ", "n0, ")
    with pytest.raises(ff.SpecError, match="W9"):
        ff.evaluate_mapping(with_mapping(tmp_path, wrong, *files, **jinja))


def test_pictures_and_text(front: Mappings) -> None:
    assert "MAC" in front[0].render().text
    assert front.render(1).text == front[1].render().text
    assert "<table>" in front._repr_html_()
    assert len(repr(front).splitlines()) == 1 + len(front)
    assert "energy" in front.access("Total")._repr_html_()
    assert front.tree(0) == front[0].tree()


def test_nothing_is_evaluated_before_it_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    from ffcore.model.default import DefaultModel

    calls = []
    evaluate = DefaultModel.evaluate
    monkeypatch.setattr(DefaultModel, "evaluate", lambda *a: (calls.append(a), evaluate(*a))[1])
    mappings = ff.map_workload_to_arch(chain())
    assert not calls
    mappings[0].energy()
    mappings[0].latency()
    assert len(calls) == 1


def test_column_names_go_both_ways() -> None:
    assert SEP == "<SEP>"
    assert join("V", "energy", "MAC", None, "compute") == "V<SEP>energy<SEP>MAC<SEP>None<SEP>compute"
    assert split("usage<SEP>GlobalBuffer") == ("usage", "GlobalBuffer")

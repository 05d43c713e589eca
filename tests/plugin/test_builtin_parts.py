"""The parts that core registers do what their protocols say."""

from __future__ import annotations

from pathlib import Path

import attrs
import pytest

from ffcore import plugin
from ffcore.errors import FFError
from ffcore.plugin import PluginManager
from ffcore.spec.problem import MapperOptions
from plugins.exhaustive.tests.toy import matmuls


@pytest.mark.parametrize("kind", plugin.RECORD_TYPES)
def test_every_builtin_part_can_be_made(kind: str) -> None:
    manager = PluginManager([])
    for name in manager.names(kind):
        arguments = {"n_jobs": 1} if kind == "executor" else {}
        assert manager.get(kind, name, **arguments) is not None


def test_exhaustive_explorer_and_joiner_find_what_the_model_confirms() -> None:
    problem = matmuls(4, 4, 2, 4)
    lines: list[str] = []
    pmappings = plugin.get("explorer", "exhaustive").explore(problem, progress=lines.append)
    joined = plugin.get("joiner", "exhaustive").join(problem, pmappings, progress=lines.append)
    assert len(lines) == 3
    model = plugin.get("model", "default")
    for mapping in joined:
        evaluation = model.evaluate(problem, mapping.nests)
        assert evaluation.fits
        assert evaluation.total_energy == pytest.approx(mapping.energy, rel=1e-12)
        assert evaluation.total_latency == pytest.approx(mapping.latency, rel=1e-12)


def test_exhaustive_joiner_takes_the_default_explorers_pmappings() -> None:
    problem = matmuls(8, 4, 4, 4)
    joiner = plugin.get("joiner", "exhaustive")
    fronts = [
        [(m.energy, m.latency) for m in joiner.join(problem, plugin.get("explorer", name).explore(problem))]
        for name in ("default", "exhaustive")
    ]
    for ours, theirs in zip(*fronts, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


def test_explorers_can_be_limited_to_some_einsums() -> None:
    found = plugin.get("explorer", "exhaustive").explore(matmuls(2, 2, 2, 2), einsum_names=["Matmul1"])
    assert list(found.pmappings) == ["Matmul1"]  # type: ignore[attr-defined]


def test_exhaustive_explorer_refuses_what_it_would_ignore(tmp_path: Path) -> None:
    explorer = plugin.get("explorer", "exhaustive")
    with pytest.raises(FFError, match="keeps no cache"):
        explorer.explore(matmuls(2, 2, 2), cache_dir=tmp_path)
    with pytest.raises(FFError, match="max_pmapping_templates_per_einsum"):
        explorer.explore(attrs.evolve(matmuls(2, 2, 2), options=MapperOptions(max_pmapping_templates_per_einsum=2)))


def test_exhaustive_joiner_returns_nothing_where_nothing_joins() -> None:
    problem = matmuls(2, 2, 2)
    pmappings = plugin.get("explorer", "exhaustive").explore(problem)
    none = attrs.evolve(pmappings, pmappings={name: [] for name in pmappings.pmappings})  # type: ignore[attr-defined,type-var]
    assert plugin.get("joiner", "exhaustive").join(problem, none) == []

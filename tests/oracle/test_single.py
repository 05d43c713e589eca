"""The joiner of one Einsum finds what the exhaustive mapper finds, and what the joiner for many finds."""

from __future__ import annotations

import pytest

from ffcore.errors import PluginError
from ffcore.explore.default import DefaultExplorer
from ffcore.pmappings.single import SingleJoiner
from tests.array_problems import array_problem
from tests.odd_problems import odd_problem
from tests.oracle.compare import fast, objectives, reference, same

# The exhaustive mapper takes more than 0.2 s on these seeds.
LONG = {
    1, 8, 12, 13, 16, 23, 24, 31, 33, 35, 36, 38, 39,
}  # fmt: skip


@pytest.mark.parametrize("seed", [pytest.param(s, marks=[pytest.mark.slow] if s in LONG else []) for s in range(40)])
def test_same_pareto_set_as_the_exhaustive_mapper(seed: int) -> None:
    problem = odd_problem(seed, 1)
    if problem is None:
        pytest.skip("refused: no memory may keep some tensor")
    joined = SingleJoiner().join(problem, DefaultExplorer().explore(problem))
    ours = sorted(objectives(problem, m.energy, m.latency) for m in joined)
    assert same(ours, reference(problem))
    assert same(ours, fast(problem))


def test_several_einsums_are_refused_with_what_to_install() -> None:
    problem = next(p for seed in range(20) if (p := array_problem(seed)) is not None and len(p.einsums) > 1)
    with pytest.raises(PluginError, match=r"has \d+: pip install ffcore-ffm-joiner"):
        SingleJoiner().join(problem, DefaultExplorer().explore(problem))

"""The demo's table: its settings and its verdicts."""

from __future__ import annotations

import pytest

from demo.ladder import LADDER, TOLERANCE, verdict
from ffcore.spec import Spec

UNFUSED, UNTILED, ONE, TWO, ANY = LADDER


@pytest.mark.parametrize("rung", LADDER, ids=lambda rung: rung.name)
def test_published_value_counts_as_equal_and_a_worse_one_does_not(rung: object) -> None:
    assert verdict(rung, rung.published * (1 + TOLERANCE / 2)) == "equal"  # type: ignore[attr-defined,arg-type]
    worst = max(rung.published, rung.fitting)  # type: ignore[attr-defined]
    assert verdict(rung, worst * (1 + 2 * TOLERANCE)) == "WORSE"  # type: ignore[arg-type]


def test_where_the_published_mapping_does_not_fit_the_best_that_does_counts() -> None:
    assert [rung.name for rung in LADDER if rung.overflow] == ["untiled"]
    assert verdict(UNTILED, UNTILED.fitting) == "published overflows GlobalBuffer: 200 of 128 MiB"


def test_the_first_rung_must_agree_and_the_others_may_be_better() -> None:
    assert verdict(UNFUSED, UNFUSED.published * 0.99) == "WORSE"
    assert all(verdict(rung, rung.published * 0.99) == "better" for rung in (UNTILED, ONE, TWO, ANY))


def test_each_rung_sets_what_its_title_says() -> None:
    def spec_of(index: int) -> Spec:
        spec = Spec.from_yaml("tpu_v4i_like_constrained", "gpt3_6.7B", BATCH_SIZE=1, N_TOKENS=16)
        LADDER[index].change(spec)
        return spec

    problem = spec_of(0).problem()
    held = problem.einsums[3].paths[0].component(0, {}).holding
    assert held is not None
    assert held.must == {t.name for t in problem.einsums[3].tensors}
    assert [spec_of(i).problem().options.max_fused_loops for i in range(1, 5)] == [0, 1, 2, float("inf")]

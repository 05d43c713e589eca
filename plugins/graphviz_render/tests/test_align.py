"""Rows that columns share."""

from hypothesis import given
from hypothesis import strategies as st

from ffcore_graphviz_render.align import RowKey, align

MAIN, BUFFER, REGISTER = (RowKey("holder", name) for name in ("Main", "Buffer", "Register"))
LOOPS, FRAME, COMPUTE = RowKey("loops"), RowKey("frame"), RowKey("compute")

ROWS = st.lists(st.sampled_from([MAIN, BUFFER, REGISTER, LOOPS, FRAME]), max_size=6)


@given(st.lists(ROWS.map(lambda rows: [*rows, COMPUTE]), min_size=1, max_size=5))
def test_every_sequence_keeps_its_order_and_its_kinds(sequences: list[list[RowKey]]) -> None:
    rows, places = align(sequences)
    for sequence, place in zip(sequences, places, strict=True):
        assert place == sorted(set(place))
        assert [rows[i] for i in place] == sequence
    assert set().union(*places) == set(range(len(rows)))  # no row for nothing
    assert {place[-1] for place in places} == {len(rows) - 1}  # all nests end in one row


def test_equal_sequences_share_every_row() -> None:
    sequence = [LOOPS, BUFFER, LOOPS, REGISTER, COMPUTE]
    assert align([sequence] * 4) == (sequence, [[0, 1, 2, 3, 4]] * 4)


def test_memories_matter_more_than_loops() -> None:
    rows, places = align([[BUFFER, LOOPS, LOOPS, COMPUTE], [LOOPS, LOOPS, BUFFER, COMPUTE]])
    assert places[0][0] == places[1][2]
    assert rows == [LOOPS, LOOPS, BUFFER, LOOPS, LOOPS, COMPUTE]


def test_loops_stand_right_above_what_they_feed() -> None:
    rows, places = align([[LOOPS, BUFFER, LOOPS, REGISTER, COMPUTE], [LOOPS, REGISTER, COMPUTE]])
    assert rows == [LOOPS, BUFFER, LOOPS, REGISTER, COMPUTE]
    assert places[1] == [2, 3, 4]


def test_tiles_of_several_columns_prefer_a_row_of_their_kind() -> None:
    shared = RowKey("holder", "Buffer", shared=True)
    _, places = align([[shared, LOOPS, BUFFER, COMPUTE], [shared, COMPUTE]])
    assert places[1] == [0, 3]


def test_nothing_to_align() -> None:
    assert align([]) == ([], [])

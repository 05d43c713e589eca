"""Labels: names of a spec are text, whatever they hold."""

import xml.dom.minidom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffcore.render.palette import tensor_colours
from ffcore_graphviz_render.grid import Grid
from ffcore_graphviz_render.labels import MAX_NAME, cell, clean, label, row, table, text


@pytest.mark.parametrize(
    "name",
    ["<B>x</B>", "a&b", "x>y", '"quoted"', "'", "&lt;", "</TD></TR></TABLE>>", "a\nb", "\x00\x07", "", "∥", "\ud800"],
)
def test_any_name_is_one_piece_of_text(name: str) -> None:
    document = xml.dom.minidom.parseString(table([row([cell(text(name))])]))
    (td,) = document.getElementsByTagName("TD")
    assert td.firstChild is not None
    assert td.firstChild.nodeType == td.firstChild.TEXT_NODE
    assert td.firstChild.data == (clean(name) or " ")


@given(st.text())
def test_labels_are_well_formed(name: str) -> None:
    made = label(table([row([cell(text(name, bold=True, italic=True, size=9, colour="#000000"), bgcolor=name)])]))
    assert made.startswith("<<TABLE")
    xml.dom.minidom.parseString(made[1:-1])


def test_long_names_are_cut() -> None:
    assert len(clean("x" * 1000)) == MAX_NAME
    assert clean("x" * 1000).endswith("…")


def test_grid_leaves_no_hole() -> None:
    grid = Grid()
    grid.put((0, 0), text("wide"), columns=3)
    grid.put((1, 0), text("left"))
    grid.put((1, 2), text("right"))
    grid.put((2, 2), text("below right"))
    document = xml.dom.minidom.parseString(grid.markup())
    shapes = []
    for tr in document.getElementsByTagName("TR"):
        cells = tr.getElementsByTagName("TD")
        shapes.append([(int(td.getAttribute("ROWSPAN") or 1), int(td.getAttribute("COLSPAN") or 1)) for td in cells])
    # Below the wide cell: left | blank over two rows | right, then blank | below right.
    assert shapes == [[(1, 3)], [(1, 1), (2, 1), (1, 1)], [(1, 1), (1, 1)]]


def test_empty_grid_is_a_table() -> None:
    assert Grid().markup().count("<TD") == 1


def test_colours_are_distinct_and_stable() -> None:
    names = [f"T{i}" for i in range(300)]
    colours = tensor_colours(names)
    assert len(set(colours.values())) > 280
    assert tensor_colours(names) == colours
    assert tensor_colours(["T0", "T0", "T1"]) == {"T0": colours["T0"], "T1": colours["T1"]}

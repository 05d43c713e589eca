"""Labels: names of a spec are text, whatever they hold."""

import xml.dom.minidom

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ffcore.render.palette import tensor_colours
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


def test_colours_are_distinct_and_stable() -> None:
    names = [f"T{i}" for i in range(300)]
    colours = tensor_colours(names)
    assert len(set(colours.values())) > 280
    assert tensor_colours(names) == colours
    assert tensor_colours(["T0", "T0", "T1"]) == {"T0": colours["T0"], "T1": colours["T1"]}

"""The mapping picture: what stands where, what is drawn once, and that any mapping can be drawn."""

import itertools
import os
import shutil
import subprocess
import sys
import xml.dom.minidom
from collections import Counter
from pathlib import Path

import attrs
import pytest

from ffcore.mapping.tree import Compute, MappingTree, Nested, Node, Sequential, Spatial, Storage, Temporal, Toll
from ffcore.render.facts import CostView, NumbersView
from ffcore.render.mapping import MappingView, view_mapping
from ffcore.render.palette import tensor_colours
from ffcore.spec import Spec
from ffcore_graphviz_render.arrange import Arrangement, Chip, arrange
from ffcore_graphviz_render.mapping import mapping_scene
from ffcore_graphviz_render.panels import WIDEST
from ffcore_graphviz_render.renderer import GraphvizRenderer
from ffcore_graphviz_render.scene import Run, fit, fit_runs, width_of
from ffcore_graphviz_render.svg import scene_svg

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's program dot is not installed")

SPEC = """
arch:
  nodes:
  - !Memory {name: Main, size: inf, leak_power: 0, area: 0, actions: &free [{name: read, energy: 0, throughput: inf},
             {name: write, energy: 0, throughput: inf}], tensors: {keep: ~Intermediates, may_keep: All}}
  - !Memory {name: Buffer, size: 128 * 2**23, leak_power: 0, area: 0, spatial: [{name: Z, fanout: 4}], actions: *free}
  - !Memory {name: Register, size: 2**13, leak_power: 0, area: 0, actions: *free}
  - !Compute {name: MAC, leak_power: 0, area: 0, actions: [{name: compute, energy: 8.4e-14, throughput: 1.05e9}]}
workload:
  rank_sizes: {M: 16, N0: 8, N1: 8, N2: 8, N3: 8}
  bits_per_value: {All: 8}
  einsums:
  - {name: A, einsum: "T1[m, n1] = T0[m, n0] * W0[n0, n1]"}
  - {name: B, einsum: "T2[m, n2] = T1[m, n1] * W1[n1, n2]"}
  - {name: C, einsum: "T3[m, n3] = T2[m, n2] * W2[n2, n3]"}
"""


def body(i: int, name: str) -> tuple[Node, ...]:
    """An Einsum's own part: its weights in registers."""
    loops = (Spatial(f"n{i}", 2, "Buffer", "Z"), Temporal(f"n{i}", 1))
    return (*loops, Storage((f"W{i}",), "Register"), Temporal("m", 1), Temporal(f"n{i + 1}", 1), Compute(name, "MAC"))


# A and B are fused below a loop over m; W1 waits in Buffer while A runs. C goes through Main.
TREE = MappingTree(
    (
        Storage(("T2",), "Main"),
        Sequential(
            (
                Nested(
                    (
                        Storage(("T0", "W0", "W1"), "Main"),
                        Storage(("W1",), "Buffer"),
                        Temporal("m", 4),
                        Storage(("T1",), "Buffer"),
                        Sequential((Nested(body(0, "A")), Nested(body(1, "B")))),
                    )
                ),
                Nested(
                    (
                        Storage(("W2", "T3"), "Main"),
                        Temporal("m", 16),
                        *body(2, "C"),
                    )
                ),
            )
        ),
    )
)


@pytest.fixture(scope="module")
def view() -> MappingView:
    return view_mapping(TREE, Spec.from_string(SPEC).problem())


@pytest.fixture(scope="module")
def plan(view: MappingView) -> Arrangement:
    return arrange(view)


def svg_of(view: MappingView) -> xml.dom.minidom.Document:
    return xml.dom.minidom.parseString(scene_svg(mapping_scene(view)))


def boxes(document: xml.dom.minidom.Document, kind: str) -> list[xml.dom.minidom.Element]:
    return [box for box in document.getElementsByTagName("rect") if box.getAttribute("class") == kind]


def about(box: xml.dom.minidom.Element) -> str:
    (title,) = box.getElementsByTagName("title")
    return title.firstChild.data


def texts(document: xml.dom.minidom.Document) -> list[str]:
    """The lines of text, each with its runs put together."""
    return [
        "".join(span.firstChild.data for span in text.getElementsByTagName("tspan"))
        for text in document.getElementsByTagName("text")
    ]


def chip_of(plan: Arrangement, tensor: str, component: str) -> Chip:
    (chip,) = [c for c in plan.chips if (c.tile.tensor, c.component) == (tensor, component)]
    return chip


# -- where things stand ---------------------------------------------------------------------------


def test_a_column_for_each_einsum_and_a_row_for_each_level(plan: Arrangement) -> None:
    assert [c.compute.einsum for c in plan.columns if c.compute] == ["A", "B", "C"]
    kinds = [(row.kind, row.component) for row in plan.rows]
    assert kinds == [
        ("holder", "Main"),
        ("holder", "Buffer"),
        ("frame", ""),
        ("holder", "Buffer"),
        ("loops", ""),
        ("holder", "Register"),
        ("loops", ""),
        ("compute", ""),
    ]
    # What corresponds stands side by side, in Einsums with and without shared loops.
    assert {c.row for c in plan.columns} == {7}
    assert {chip_of(plan, f"W{i}", "Register").row for i in range(3)} == {5}
    # Main's tiles above the Sequential and in its branches, with no loop between, are one row.
    assert {c.row for c in plan.chips if c.component == "Main"} == {0}


def test_tiles_span_the_einsums_that_use_them(plan: Arrangement) -> None:
    assert chip_of(plan, "T1", "Buffer").used == ((0, 1),)
    assert chip_of(plan, "T2", "Main").used == ((1, 2),)
    assert chip_of(plan, "T0", "Main").used == ((0, 0),)
    # W1 is held above the loop, so for as long as A and B take turns.
    waiting = chip_of(plan, "W1", "Buffer")
    assert (waiting.span, waiting.used) == ((0, 1), ((1, 1),))
    # In a memory that is large enough for everything, time says nothing.
    assert chip_of(plan, "W1", "Main").span == (1, 1)


def test_a_gap_between_users_is_alive_but_not_used() -> None:
    spec = Spec.from_string(SPEC.replace("T3[m, n3] = T2[m, n2] * W2[n2, n3]", "T3[m, n3] = T1[m, n1] * W2[n1, n3]"))
    parts = tuple(Nested((Temporal("m", 1), Compute(name, "MAC"))) for name in "ABC")
    tree = MappingTree((Storage(("T1",), "Buffer"), Sequential(parts)))
    (chip,) = arrange(view_mapping(tree, spec.problem())).chips
    assert (chip.span, chip.used) == ((0, 2), ((0, 2),))
    holders = (Storage(("T0", "T3"), "Main"), Storage(("T1",), "Buffer", ("A", "C")))
    plan = arrange(view_mapping(MappingTree((*holders, Sequential(parts))), spec.problem()))
    chip = chip_of(plan, "T1", "Buffer")
    assert (chip.span, chip.used) == ((0, 2), ((0, 0), (2, 2)))


def test_fused_einsums_are_grouped(plan: Arrangement) -> None:
    assert plan.groups() == ((0, 1), (2, 2))
    assert chip_of(plan, "T1", "Buffer").stays
    # Weights come from Main, and T2 stays there.
    assert [c.tile.tensor for c in plan.chips if c.stays] == ["T1"]


def test_tiles_that_live_at_once_are_in_different_lanes(plan: Arrangement) -> None:
    for a in plan.chips:
        for b in plan.chips:
            if a is not b and (a.row, a.lane) == (b.row, b.lane):
                assert a.span[1] < b.span[0] or b.span[1] < a.span[0]
    assert max(c.lane for c in plan.chips) == 2  # Main: T0 and W0 of A; T2 beside W1 and beside W2 and T3


def test_loops_that_run_once_are_left_out(plan: Arrangement) -> None:
    assert all(loop.trips != 1 for run in plan.loops for loop in run.loops)
    last = [run for run in plan.loops if run.span == (2, 2)]
    # The loop over m in one tile of 16 is gone.
    assert [[x.variable for x in run.loops] for run in last] == [["n2", "n2"], ["m", "n3"]]


def test_own_loops_move_to_the_row_with_most_room() -> None:
    tall = (Temporal("a", 1), Temporal("b", 1), Temporal("c", 1))
    parts = (
        Nested((*tall, Storage(("W",), "Register"), Temporal("d", 1), Compute("A", "MAC"))),
        Nested((*tall, Compute("B", "MAC"))),
    )
    plan = arrange(view_mapping(MappingTree((Sequential(parts),))))
    rows = {run.span: [x.row for x in plan.loops if x.span == run.span] for run in plan.loops}
    assert rows == {(0, 0): [0, 2], (1, 1): [0]}


def test_what_follows_a_sequential_stands_below_each_branch() -> None:
    parts = (Nested((Temporal("a", 2),)), Nested((Temporal("b", 2),)))
    nodes = (Sequential(parts), Temporal("c", 2), Compute("E", "MAC"))
    plan = arrange(view_mapping(MappingTree(nodes)))
    assert [c.compute.einsum for c in plan.columns if c.compute] == ["E", "E"]
    assert [[x.variable for x in run.loops] for run in plan.loops] == [["a", "c"], ["b", "c"]]


# -- what is drawn --------------------------------------------------------------------------------


def test_shared_parts_are_drawn_once(view: MappingView) -> None:
    document = svg_of(view)
    (frame,) = boxes(document, "frame")
    assert about(frame) == "m 4 times in tiles of 4, for all Einsums in the frame"
    assert texts(document).count("for m ×4  tile 4     ") == 1
    columns = boxes(document, "einsum")
    assert len(columns) == 3
    left, right = float(frame.getAttribute("x")), float(frame.getAttribute("x")) + float(frame.getAttribute("width"))
    inside = [left < float(c.getAttribute("x")) < right for c in columns]
    assert inside == [True, True, False]
    (group,) = boxes(document, "group")
    assert about(group) == "2 fused Einsums: A … B"
    shared = [chip for chip in boxes(document, "chip") if about(chip).startswith("T1 in Buffer")]
    assert len(shared) == 1
    assert float(shared[0].getAttribute("width")) > 2 * float(columns[0].getAttribute("width"))


def test_frames_hold_all_that_they_repeat(view: MappingView) -> None:
    document = svg_of(view)
    (frame,) = boxes(document, "frame")
    top, height = float(frame.getAttribute("y")), float(frame.getAttribute("height"))
    ends = [float(c.getAttribute("y")) + float(c.getAttribute("height")) for c in boxes(document, "compute")]
    assert max(ends) < top + height
    above = [chip for chip in boxes(document, "chip") if float(chip.getAttribute("y")) < top]
    assert {about(chip).split(" in ")[1].split(",")[0] for chip in above} == {"Main", "Buffer"}
    assert "T1" not in {about(chip).split()[0] for chip in above}


def test_one_colour_per_tensor(view: MappingView) -> None:
    seen: dict[str, set[str]] = {}
    for chip in boxes(svg_of(view), "chip"):
        seen.setdefault(about(chip).split()[0], set()).add(chip.getAttribute("fill"))
    assert seen == {name: {colour} for name, colour in tensor_colours(view.tensors).items()}


def test_waiting_tiles_are_pale_bands(view: MappingView) -> None:
    document = svg_of(view)
    (band,) = boxes(document, "alive")
    assert about(band) == "W1 in Buffer, 64 B"
    (chip,) = [c for c in boxes(document, "chip") if about(c) == about(band)]
    assert float(band.getAttribute("x")) < float(chip.getAttribute("x"))
    assert band.getAttribute("fill") != chip.getAttribute("fill")


def test_stripes_reach_as_far_as_what_lies_on_them(view: MappingView) -> None:
    document = svg_of(view)

    def right(box: xml.dom.minidom.Element) -> float:
        return float(box.getAttribute("x")) + float(box.getAttribute("width"))

    ends = {right(box) for box in boxes(document, "level")}
    assert len(ends) == 1
    assert max(right(b) for kind in ("chip", "frame") for b in boxes(document, kind)) <= ends.pop()


def test_spatial_loops_are_distinct_and_say_what_they_use(view: MappingView) -> None:
    document = svg_of(view)
    spatial, temporal = boxes(document, "spatial"), boxes(document, "temporal")
    assert len(spatial) == 3
    assert not {b.getAttribute("fill") for b in spatial} & {b.getAttribute("fill") for b in temporal}
    assert about(spatial[0]) == "n0 4 times across Buffer.Z (4 instances) in tiles of 2"
    assert texts(document).count("∥ n0 ×4 of 4") == 1
    assert texts(document).count("Z") == 3


def test_dimensions_of_one_name_are_told_apart() -> None:
    loops = (Spatial("a", 1, "Row", "X"), Spatial("b", 1, "Column", "X"), Spatial("c", 1, "Row", "Y"))
    shown = texts(svg_of(view_mapping(MappingTree((*loops, Compute("E", "MAC"))))))
    assert {"Row.X", "Column.X", "Y"} <= set(shown)


def test_sizes_are_in_human_units(view: MappingView) -> None:
    shown = texts(svg_of(view))
    assert {"T1  32 B", "W1  64 B", "T2  128 B", "unlimited"} <= set(shown)


def test_levels_are_named_in_every_row(view: MappingView) -> None:
    document = svg_of(view)
    assert [about(b).split(" · ")[0] for b in boxes(document, "level")] == ["Main", "Buffer", "Buffer", "Register"]
    assert "Buffer · 128 MiB" in {about(b) for b in boxes(document, "level")}


def test_numbers_are_bars_below_the_columns(view: MappingView) -> None:
    costs = {
        "A": CostView(0.1, 1.0, 0.1, 0.5, "MAC", {"Buffer": 0.25}),
        "B": CostView(0.2, 0.5, 0.2, 0.25, "Main", {"Buffer": 1.5}),
        "C": CostView(0.7, 0.5, 0.7, 0.25, "Main", {}),
    }
    document = svg_of(attrs.evolve(view, numbers=NumbersView(1.0, 2.0, costs, {"Buffer": 1.5})))
    assert "energy 1 J · latency 2 s · energy-delay product 2 J·s" in texts(document)
    width = {about(b): float(b.getAttribute("width")) for b in boxes(document, "meter-bar")}
    whole = {about(b): float(b.getAttribute("width")) for b in boxes(document, "meter")}
    assert width["A: energy 10.0%"] == pytest.approx(0.1 * whole["A: energy 10.0%"], abs=0.02)
    assert width["B: Buffer full 150.0%"] == whole["B: Buffer full 150.0%"]  # no longer than its frame
    fills = {about(b): b.getAttribute("fill") for b in boxes(document, "meter-bar")}
    assert fills["B: Buffer full 150.0%"] not in {fill for name, fill in fills.items() if "150" not in name}
    assert {"50%  MAC", "25%  Main", "0%"} <= set(texts(document))
    assert "C: Buffer full 0.0%" not in width
    assert "Main full" not in texts(document)  # it has room for everything


def test_the_key_explains_only_what_is_there(view: MappingView) -> None:
    assert "loop that all Einsums in the frame share" in texts(svg_of(view))
    alone = texts(svg_of(view_mapping(MappingTree((Temporal("m", 2), Compute("E", "MAC"))))))
    assert not any("share" in text or "∥" in text or "tensor" in text for text in alone)


def test_svg_has_a_title_and_a_size(view: MappingView) -> None:
    root = svg_of(view).documentElement
    title = next(node for node in root.childNodes if node.nodeName == "title")
    assert title.firstChild.data == "Mapping of A, B, C"
    assert root.getAttribute("role") == "img"
    assert root.getAttribute("viewBox") == f"0 0 {root.getAttribute('width')} {root.getAttribute('height')}"


def test_nothing_is_drawn_outside(view: MappingView) -> None:
    for some in (view, view_mapping(chain(40)), view_mapping(TREE)):
        scene = mapping_scene(some)
        for item in scene.items:
            assert item.x >= 0
            assert item.x + item.width <= scene.width + 1e-6
            assert 0 <= item.y <= scene.height


def test_text_stays_in_its_box(view: MappingView) -> None:
    for some in (view, view_mapping(chain(3, "a_name_that_is_far_too_long_for_any_column_" * 4))):
        for item in mapping_scene(some).items:
            if hasattr(item, "runs"):
                assert width_of(item.runs) <= item.width + 1e-6


# -- any mapping ----------------------------------------------------------------------------------


def chain(n: int, prefix: str = "") -> MappingTree:
    names = [f"{prefix}T{i}" for i in range(n)]
    parts = tuple(
        Nested((Storage((t,), "Buffer"), Temporal("m", 1), Toll((t,), "Link"), Compute(f"{prefix}E{i}", "MAC")))
        for i, t in enumerate(names)
    )
    return MappingTree((Storage(tuple(names), "Main"), Sequential(parts)))


def test_wide_mappings_go_on_in_panels_that_a_screen_can_hold() -> None:
    document = svg_of(view_mapping(chain(40)))
    assert float(document.documentElement.getAttribute("width")) <= 1280
    names = [about(b) for b in boxes(document, "einsum")]
    assert names == [f"E{i}" for i in range(40)]  # each once, in order
    tops = Counter(float(b.getAttribute("y")) for b in boxes(document, "einsum"))
    assert len(tops) == 4
    assert max(tops.values()) - min(tops.values()) <= 1
    assert WIDEST < 1280


def test_panels_are_cut_where_nothing_is_shared() -> None:
    pairs = tuple(
        Nested((Temporal("m", 2), Sequential((Compute(f"E{i}a", "MAC"), Compute(f"E{i}b", "MAC"))))) for i in range(11)
    )
    document = svg_of(view_mapping(MappingTree((Sequential(pairs),))))
    assert len(boxes(document, "frame")) == 11  # none is cut in two
    assert len({b.getAttribute("y") for b in boxes(document, "einsum")}) == 2


def test_a_loop_over_more_than_a_panel_is_marked_as_going_on() -> None:
    parts = tuple(Nested((Compute(f"E{i}", "MAC"),)) for i in range(30))
    document = svg_of(view_mapping(MappingTree((Temporal("m", 2), Sequential(parts)))))
    n_panels = len({b.getAttribute("y") for b in boxes(document, "einsum")})
    assert n_panels == 3
    assert sum("(part)" in text for text in texts(document)) == n_panels


def test_tolls_look_unlike_memories() -> None:
    document = svg_of(view_mapping(chain(2)))
    fills = {about(b): b.getAttribute("fill") for b in boxes(document, "level")}
    assert len({fills["Link"], fills["Main"], fills["Buffer"]}) == 3


def nested(depth: int) -> MappingTree:
    """Shared loops in shared loops: each repeats one Einsum and all that is further in."""
    inner: Node = Compute("last", "X")
    for i in range(depth):
        inner = Nested((Temporal(f"v{i}", 2), Sequential((Compute(f"E{i}", "X"), inner))))
    return MappingTree((inner,))


ODD = {
    "empty": MappingTree(()),
    "no compute": MappingTree((Storage(("A",), "Main"), Temporal("m", 2))),
    "only a compute": MappingTree((Compute("E", "MAC"),)),
    "empty sequential": MappingTree((Sequential(()),)),
    "twice the same": MappingTree((Sequential((Compute("E", "MAC"), Compute("E", "MAC"))),)),
    "one tensor twice": MappingTree((Storage(("A", "A"), "Main"), Compute("E", "MAC"))),
    "nested": nested(3),
    "sixty tensors": MappingTree((Storage(tuple(f"T{i}" for i in range(60)), "Main"), Compute("E", "MAC"))),
    "by Einsum": MappingTree(
        (Temporal({"A": "x", "B": "y"}, {"A": 1, "B": 2}), Sequential((Compute("A", "X"), Compute("B", "X"))))
    ),
}


@pytest.mark.parametrize("name", ODD)
def test_any_tree_is_drawn(name: str) -> None:
    tree = ODD[name]
    for shown in (view_mapping(tree), view_mapping(tree, Spec.from_string(SPEC).problem())):
        document = svg_of(shown)
        assert len(boxes(document, "einsum")) == max(1, len(arrange(shown).columns))
        GraphvizRenderer().render("mapping", shown, "dot")


def test_nested_frames_lie_inside_one_another() -> None:
    frames = boxes(svg_of(view_mapping(ODD["nested"])), "frame")
    edges = [[float(f.getAttribute(name)) for name in ("x", "y", "width", "height")] for f in frames]
    assert len(edges) == 3
    for outer, inner in itertools.pairwise(edges):
        assert outer[0] < inner[0]
        assert outer[1] < inner[1]
        assert inner[0] + inner[2] < outer[0] + outer[2]
        assert inner[1] + inner[3] < outer[1] + outer[3]


def test_the_same_in_every_process() -> None:
    """No order of a set finds its way into the picture."""
    program = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_mapping_picture import TREE, GraphvizRenderer, Spec, SPEC, chain, view_mapping
for view in (view_mapping(TREE, Spec.from_string(SPEC).problem()), view_mapping(chain(12))):
    for format in ("svg", "dot"):
        print(GraphvizRenderer().render("mapping", view, format))
"""
    drawn = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={**os.environ, "PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(drawn) == 1


@needs_dot
@pytest.mark.parametrize("name", ["empty", "nested", "sixty tensors"])
def test_graphviz_has_nothing_to_complain_about(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    png = GraphvizRenderer().render("mapping", ODD[name], "png")
    assert isinstance(png, bytes)
    width, height = (int.from_bytes(png[at : at + 4], "big") for at in (16, 20))
    scene = mapping_scene(view_mapping(ODD[name]))
    # Two dots a pixel, and what is drawn is what was planned.
    assert width == pytest.approx(2 * scene.width, abs=16)
    assert height == pytest.approx(2 * scene.height, abs=16)
    assert capfd.readouterr().err == ""


# -- text -----------------------------------------------------------------------------------------


def test_long_names_lose_their_middle() -> None:
    assert fit("short", 100, Run("")) == "short"
    cut = fit("layer_17_attention_output_projection", 100, Run(""))
    assert cut.startswith("layer")
    assert cut.endswith("ion")
    assert "…" in cut
    assert Run(cut).width <= 100


def test_the_widest_run_gives_way() -> None:
    runs = fit_runs([Run("a_name_that_is_far_too_long_for_this"), Run("  64 MiB")], 100)
    assert runs[1].text == "  64 MiB"
    assert width_of(runs) <= 100
    assert fit_runs([Run("x" * 50)], 0) in ((), (Run("…"),))

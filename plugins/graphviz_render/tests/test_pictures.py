"""Pictures: what is in the DOT, that strangers' names do no harm, and what happens without ``dot``."""

import re
import shutil
import xml.dom.minidom
from pathlib import Path

import pytest

from ffcore.errors import FFError
from ffcore.mapping.tree import Compute, MappingTree, Nested, Sequential, Spatial, Storage, Temporal, Toll
from ffcore.plugin import PluginManager
from ffcore.render.mapping import view_mapping
from ffcore.render.rendering import MissingProgramError
from ffcore.spec import Spec
from ffcore_graphviz_render import plugin
from ffcore_graphviz_render.renderer import GraphvizRenderer

needs_dot = pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz's program dot is not installed")

SPEC = """
arch:
  nodes:
  - !Memory {name: Main, size: inf, leak_power: 0, area: 0,
             tensors: {keep: ~Intermediates, may_keep: All},
             actions: [{name: read, energy: 7.03e-12, throughput: 8 * 614e9},
                       {name: write, energy: 0, throughput: inf}]}
  - !Memory {name: Buffer, size: 128 * 2**23, leak_power: 0, area: 0, spatial: [{name: Z, fanout: 4}],
             actions: [{name: read, energy: 0, throughput: inf}, {name: write, energy: 0, throughput: inf}]}
  - !Compute {name: MAC, leak_power: 0, area: 0, actions: [{name: compute, energy: 8.4e-14, throughput: 1.05e9}]}
workload:
  rank_sizes: {M: 16, K: 8, N: 8}
  bits_per_value: {All: 8}
  einsums:
  - {name: First, einsum: "T1[m, k] = T0[m, k] * W0[k]"}
  - {name: Second, einsum: "T2[m, n] = T1[m, k] * W1[k, n]"}
"""

TREE = MappingTree(
    (
        Storage(("T0", "W0", "W1", "T2"), "Main"),
        Temporal("m", 2),
        Storage(("T1",), "Buffer"),
        Sequential(
            (
                Nested((Spatial("k", 2, "Buffer", "Z"), Temporal("k", 1), Temporal("m", 2), Compute("First", "MAC"))),
                Nested((Toll(("W1",), "Link"), Temporal("n", 4), Compute("Second", "MAC"))),
            )
        ),
    )
)

NASTY = "</TD></TR></TABLE>><B>&\"'<script>alert(1)</script>\n\x00:n -> x; {|}\\N"
NASTY_NAME = NASTY.replace("\n\x00", "")  # as nasty as a name can be


@pytest.fixture(scope="module")
def spec() -> Spec:
    return Spec.from_string(SPEC)


def draw(kind: str, obj: object) -> str:
    drawn = GraphvizRenderer().render(kind, obj, "dot")
    assert isinstance(drawn, str)
    return drawn


def markup_of(dot: str) -> list[xml.dom.minidom.Document]:
    """Every HTML-like label of a DOT file, parsed: fails if one is not well-formed."""
    labels = re.findall(r"label=<(<TABLE.*?</TABLE>)>[\] ]", dot, re.DOTALL)
    assert labels
    return [xml.dom.minidom.parseString(label) for label in labels]


def words(node: xml.dom.minidom.Node) -> str:
    if node.nodeType == node.TEXT_NODE:
        return node.data
    return "".join(words(child) for child in node.childNodes)


def test_workload_shows_formulas_shapes_and_arrows(spec: Spec) -> None:
    dot = draw("workload", spec)
    text = [words(document) for document in markup_of(dot)]
    assert "T1M 16 × K 8  ·  128 B" in text
    assert "FirstT1[m,k] = T0[m,k] * W0[k]128 operations" in text
    edges = re.findall(r"(\w+) -> (\w+)", dot)
    # T0 and W0 go into First, which makes T1; T1 and W1 go into Second, which makes T2.
    assert edges == [("t0", "e0"), ("t1", "e0"), ("e0", "t2"), ("t2", "e1"), ("t3", "e1"), ("e1", "t4")]


def test_arch_shows_the_chain_in_human_units(spec: Spec) -> None:
    dot = draw("arch", spec)
    text = [words(document) for document in markup_of(dot)]
    assert text[0].startswith("Main Memoryunlimitedread 7.03 pJ/bit, 614 GB/s")
    assert text[1].startswith("Z ×4 ∥Buffer Memory128 MiB4 in all")
    assert text[2] == "MAC Compute4 in allcompute 84 fJ, 1.05 Gop/s"
    assert re.findall(r"(\w+) -> (\w+)", dot) == [("n0", "n1"), ("n1", "n2")]


def test_the_same_input_gives_the_same_dot(spec: Spec) -> None:
    again = Spec.from_string(SPEC)
    for kind in ("workload", "arch"):
        assert draw(kind, spec) == draw(kind, again)
    assert draw("mapping", view_mapping(TREE, spec.problem())) == draw("mapping", view_mapping(TREE, again.problem()))


def nasty() -> tuple[Spec, MappingTree]:
    """A spec and a mapping that carry markup wherever a name may stand."""
    spec = Spec.from_string(SPEC)
    for node in spec.arch.nodes:
        node.name += NASTY_NAME
        node.enabled = NASTY
    spec.arch.nodes[1].spatial[0].name = NASTY_NAME
    for einsum in spec.workload.einsums:
        einsum.name += NASTY_NAME
        for access in einsum.tensor_accesses:
            access.name += NASTY_NAME
    holder = Storage((NASTY,), NASTY)
    tree = MappingTree((holder, Temporal(NASTY, 1), Spatial(NASTY, 1, NASTY, NASTY), Compute(NASTY, NASTY)))
    return spec, tree


@pytest.mark.parametrize("kind", ["workload", "arch", "mapping"])
def test_names_of_a_stranger_are_text(kind: str) -> None:
    spec, tree = nasty()
    dot = draw(kind, tree if kind == "mapping" else spec)
    seen = ""
    for document in markup_of(dot):
        tags = {e.tagName for e in document.getElementsByTagName("*")}
        assert tags <= {"TABLE", "TR", "TD", "FONT", "B", "I"}
        seen += words(document)
    # The mapping picture leaves out the middle of names that are too long for their place.
    assert ("</TD></TR></T" if kind == "mapping" else "<script>alert(1)</script>") in seen
    assert "{|}\\N" in seen  # not the name of a node, which Graphviz puts in the place of \\N in labels
    assert "\\N" not in dot
    assert not re.search(r"[\x00-\x08]", dot)


@needs_dot
@pytest.mark.parametrize("kind", ["workload", "arch", "mapping"])
def test_names_of_a_stranger_are_text_in_svg(kind: str) -> None:
    spec, tree = nasty()
    svg = GraphvizRenderer().render(kind, tree if kind == "mapping" else spec, "svg")
    document = xml.dom.minidom.parseString(svg)
    assert not document.getElementsByTagName("script")
    assert "<script>" in words(document).replace("\xa0", " ")


@needs_dot
@pytest.mark.parametrize("kind", ["workload", "arch", "mapping"])
def test_png_and_svg(kind: str, spec: Spec, capfd: pytest.CaptureFixture[str]) -> None:
    obj = view_mapping(TREE, spec.problem()) if kind == "mapping" else spec
    png = GraphvizRenderer().render(kind, obj, "png")
    assert isinstance(png, bytes)
    assert png.startswith(b"\x89PNG")
    assert len(png) > 2000
    svg = GraphvizRenderer().render(kind, obj, "svg")
    assert isinstance(svg, str)
    shown = words(xml.dom.minidom.parseString(svg)).replace("\xa0", " ")
    assert {"workload": "First", "arch": "128 MiB", "mapping": "×8"}[kind] in shown
    assert capfd.readouterr().err == ""  # Graphviz had nothing to complain about


def test_without_the_program_only_dot_works(spec: Spec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for format in ("svg", "png"):
        with pytest.raises(MissingProgramError, match="apt-get install graphviz") as error:
            GraphvizRenderer().render("arch", spec, format)
        assert str(error.value).count(". ") == 0  # one sentence
    assert draw("arch", spec).startswith("digraph")


def test_a_mapping_needs_the_program_for_png_alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "</svg>" in GraphvizRenderer().render("mapping", TREE, "svg")
    with pytest.raises(MissingProgramError, match="apt-get install graphviz"):
        GraphvizRenderer().render("mapping", TREE, "png")


def test_program_that_cannot_run_is_missing(spec: Spec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda name: str(tmp_path / name))
    with pytest.raises(MissingProgramError):
        GraphvizRenderer().render("arch", spec, "svg")


@pytest.mark.parametrize(
    ("script", "said"),
    [("echo one >&2; echo no fonts >&2; exit 1", "fails: no fonts."), ("exit 3", "ends with code 3.")],
)
def test_program_that_fails_is_told_of(
    spec: Spec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, script: str, said: str
) -> None:
    (tmp_path / "dot").write_text(f"#!/bin/sh\n{script}\n")
    (tmp_path / "dot").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FFError) as error:
        GraphvizRenderer().render("arch", spec, "svg")
    assert str(error.value).endswith(said)


def test_other_formats_are_refused(spec: Spec) -> None:
    with pytest.raises(FFError, match="'pdf'"):
        GraphvizRenderer().render("arch", spec, "pdf")


def test_empty_things_are_drawn() -> None:
    assert draw("workload", Spec()).startswith("digraph")
    assert draw("arch", Spec()).startswith("digraph")
    assert draw("mapping", MappingTree(())).startswith("digraph")


class _EntryPoint:
    """This plugin as if it were installed."""

    name, value, dist = "graphviz_render", "ffcore_graphviz_render.plugin", None

    def load(self) -> object:
        return plugin


def test_found_by_name_through_the_manager(spec: Spec) -> None:
    manager = PluginManager([_EntryPoint()])
    assert manager.problems() == ()
    (record,) = manager.records("renderer")
    assert (record.name, record.formats) == ("graphviz", ("svg", "png", "dot"))
    assert manager.get("renderer", "graphviz").render("arch", spec, "dot") == draw("arch", spec)

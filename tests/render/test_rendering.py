"""Renderings: text without any plugin, files by suffix, and what happens when something is missing."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from ffcore import plugin
from ffcore.errors import PluginError
from ffcore.mapping.tree import Compute, MappingTree
from ffcore.plugin import PluginManager, RendererRecord, hookimpl
from ffcore.render import MissingProgramError, RenderWarning, render_arch, render_mapping, render_workload
from ffcore.render.mapping import MappingView
from ffcore.spec import Spec

TREE = MappingTree((Compute("A", "MAC"),))


class _Painter:
    """Answers with what it was asked for."""

    def render(self, kind: str, obj: object, format: str) -> bytes | str:
        return b"png" if format == "png" else f"<svg>{kind} {type(obj).__name__}</svg>"


class _NoProgram:
    def render(self, kind: str, obj: object, format: str) -> str:
        if format == "dot":
            return "digraph {}"
        raise MissingProgramError("Install brush.")


def _manager(**renderers: tuple[type, tuple[str, ...]]) -> PluginManager:
    class Hooks:
        @hookimpl
        def ffcore_renderers(self) -> Iterator[RendererRecord]:
            for name, (factory, formats) in renderers.items():
                yield RendererRecord(name, "for a test", factory, formats=formats)

    point = SimpleNamespace(name="painters", value="tests", dist=None, load=Hooks)
    return PluginManager([point])


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch):
    """Makes these renderers the only ones."""

    def use(**renderers: tuple[type, tuple[str, ...]]) -> None:
        manager = _manager(**renderers)
        monkeypatch.setattr(plugin, "current_manager", lambda: manager)

    return use


def test_text_needs_no_plugin(installed, tmp_path: Path) -> None:
    installed()
    rendering = render_mapping(TREE)
    assert rendering.text == str(rendering) == repr(rendering) == "compute A on MAC"
    assert rendering.save(tmp_path / "mapping.txt").read_text() == "compute A on MAC\n"
    assert render_arch(Spec()).text == "(empty architecture)"
    assert render_workload(Spec()).text == "(no Einsum)"


def test_without_a_renderer_jupyter_shows_escaped_text(installed) -> None:
    installed()
    rendering = render_mapping(MappingTree((Compute("<script>", "MAC"),)))
    assert rendering._repr_svg_() is None
    assert rendering._repr_html_() == "<pre>compute &lt;script&gt; on MAC</pre>"


def test_without_a_renderer_a_picture_is_an_error_that_says_what_to_install(installed, tmp_path: Path) -> None:
    installed()
    with pytest.raises(PluginError, match="pip install ffcore-graphviz-render"):
        render_mapping(TREE).save(tmp_path / "mapping.svg")
    assert list(tmp_path.iterdir()) == []


def test_renderer_is_chosen_by_format(installed, tmp_path: Path) -> None:
    installed(a=(_NoProgram, ("dot",)), b=(_Painter, ("svg", "png")))
    rendering = render_workload(Spec())
    assert rendering.save(tmp_path / "w.svg").read_text() == "<svg>workload Spec</svg>"
    assert rendering.save(str(tmp_path / "w.PNG")).read_bytes() == b"png"
    assert rendering.save(tmp_path / "w.dot").read_text() == "digraph {}"
    assert rendering._repr_svg_() == "<svg>workload Spec</svg>"
    assert rendering._repr_html_() is None  # Jupyter would prefer it to the picture


def test_mapping_renderers_get_the_view(installed) -> None:
    installed(b=(_Painter, ("svg",)))
    rendering = render_mapping(TREE)
    assert isinstance(rendering.obj, MappingView)
    assert rendering.obj.tree == TREE
    assert rendering.draw("svg") == b"<svg>mapping MappingView</svg>"


def test_renderer_can_be_named(installed) -> None:
    installed(a=(_NoProgram, ("svg", "dot")), b=(_Painter, ("svg",)))
    assert render_arch(Spec(), renderer="b").draw("svg") == b"<svg>arch Spec</svg>"
    with pytest.raises(PluginError, match="'c'"):
        render_arch(Spec(), renderer="c").draw("svg")


def test_unknown_format_lists_what_there_is(installed, tmp_path: Path) -> None:
    installed(b=(_Painter, ("svg", "png")))
    with pytest.raises(PluginError, match="'svgg', only png, svg, txt; did you mean 'svg'"):
        render_mapping(TREE).save(tmp_path / "m.svgg")
    with pytest.raises(PluginError, match="no suffix"):
        render_mapping(TREE).save(tmp_path / "m")


def test_missing_program_still_writes_dot_and_says_so_once(installed, tmp_path: Path) -> None:
    installed(a=(_NoProgram, ("svg", "dot")))
    with pytest.warns(RenderWarning, match=r"Install brush. Wrote .*m.dot instead") as caught:
        written = render_mapping(TREE).save(tmp_path / "m.svg")
    assert len(caught) == 1
    assert written == tmp_path / "m.dot"
    assert written.read_text() == "digraph {}"
    assert not (tmp_path / "m.svg").exists()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert render_mapping(TREE)._repr_svg_() is None  # Jupyter falls back in silence

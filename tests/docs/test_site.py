"""``make docs``: the site is built without a warning, holds every page, and loads nothing from another host."""

from __future__ import annotations

import html.parser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import PAGES, ROOT

MKDOCS = [sys.executable, "-m", "mkdocs"]
(RECIPE,) = re.finditer(r"^docs: .*\n\t(\w+=\w+) \$\(BIN\)/mkdocs (.*)$", (ROOT / "Makefile").read_text(), re.MULTILINE)
"""What ``make docs`` does: a setting of the environment, and the arguments of mkdocs."""


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The site's folder, and what building it printed."""
    name, _, value = RECIPE[1].partition("=")
    site = tmp_path_factory.mktemp("docs") / "site"
    command = [*MKDOCS, *RECIPE[2].split(), "--site-dir", str(site)]
    environment = {**os.environ, name: value}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return site, done.stdout + done.stderr


class Loads(html.parser.HTMLParser):
    """Collects what a page loads by itself (not where its links lead), and the names of its anchors."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        if name := found.get("id"):
            self.ids.add(name)
        if tag == "link" and found.get("rel") not in ("canonical", "prev", "next"):
            self.loaded.append(found.get("href") or "")
        elif tag in ("script", "img", "iframe", "source", "video", "audio", "embed"):
            self.loaded.append(found.get("src") or "")


def read(page: Path) -> Loads:
    loads = Loads()
    loads.feed(page.read_text())
    return loads


def test_building_gives_no_warnings(build: tuple[Path, str]) -> None:
    lines = build[1].splitlines()
    assert lines
    assert [line for line in lines if not line.startswith("INFO ")] == []


def test_what_is_wrong_with_a_page_ends_the_build(tmp_path: Path) -> None:
    """A page outside the navigation, a link and an anchor to nothing: each is a warning, and warnings are errors."""
    settings = (ROOT / "mkdocs.yml").read_text()
    (validation,) = re.findall(r"^validation:\n(?:  .*\n)+", settings, re.MULTILINE)
    (tmp_path / "mkdocs.yml").write_text(f"site_name: x\n{validation}nav: [index.md]\n")
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs" / "index.md").write_text("[a](nothing.md) [b](other.md#nothing)\n")
    (tmp_path / "docs" / "other.md").write_text("# Other\n")
    command = [*MKDOCS, *RECIPE[2].split()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "Aborted with 3 warnings in strict mode" in done.stdout + done.stderr


def test_every_page_is_there_and_in_the_navigation(build: tuple[Path, str]) -> None:
    site, _ = build
    pages = [p.removeprefix("docs/").removesuffix(".md") + ".html" for p in PAGES if p.startswith("docs/")]
    front = (site / "index.html").read_text()
    for page in [*pages, "changelog.html"]:
        assert (site / page).exists(), page
        assert f'href="{page}"' in front, page
    assert list(site.rglob("*.py")) == []


def test_pages_load_nothing_from_another_host(build: tuple[Path, str]) -> None:
    site, _ = build
    for page in site.rglob("*.html"):
        for url in read(page).loaded:
            assert not re.match(r"(\w+:)?//", url), f"{page}: {url}"
            target = (page.parent / url.split("?")[0].split("#")[0]).resolve()
            assert not url or url.startswith("data:") or page.name == "404.html" or target.exists(), f"{page}: {url}"
    for style in site.rglob("*.css"):
        assert not re.search(r"(@import|url\()\s*[\"']?(https?:)?//", style.read_text()), style


def test_search_needs_no_server(build: tuple[Path, str]) -> None:
    site, _ = build
    assert (site / "search" / "search_index.js").read_text().startswith("var __index = ")
    assert any("iframe-worker" in url for url in read(site / "index.html").loaded)


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("api/index.html", ["ffcore.api.map_workload_to_arch", "ffcore.api.evaluate_mapping", "ffcore.spec.spec.Spec"]),
        ("api/mapper.html", ["ffcore.mapper.ffm.make_pmappings", "ffcore.mapper.ffm.join_pmappings"]),
        ("api/results.html", ["ffcore.results.mappings.Mappings.energy", "ffcore.results.pmappings.Pmappings.filter"]),
        ("api/plugin.html", ["ffcore.plugin.interfaces.Joiner.join", "ffcore.plugin.records.ArchRecord"]),
        ("api/support.html", ["ffcore.errors.NoValidMappingError", "ffcore.units.format_quantity"]),
    ],
)
def test_api_pages_hold_the_public_names(build: tuple[Path, str], page: str, names: list[str]) -> None:
    assert set(names) <= read(build[0] / page).ids


def test_everything_public_is_in_the_api_reference(build: tuple[Path, str]) -> None:
    import ffcore
    from ffcore import plugin

    ids = set().union(*(read(page).ids for page in (build[0] / "api").glob("*.html")))
    last = {name.rsplit(".", 1)[-1] for name in ids}
    modules = {"mapper", "plugin", "__version__"}
    # What a record or a manager is made of, and the name of a variable, are not for authors of plugins.
    inner = {"DISABLE_VARIABLE", "RECORD_TYPES", "Plugin", "PluginManager", "current_manager", "hookimpl"}
    assert set(ffcore.__all__) - modules <= last
    assert set(plugin.__all__) - inner <= last

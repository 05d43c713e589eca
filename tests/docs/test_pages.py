"""What pages say of files, links, numbers and plugins is so."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from demo.ladder import LADDER
from tests.docs.blocks import PAGES, ROOT, page_blocks


def prose(page: str) -> str:
    """The page without its code blocks, in which ``](`` and ``#`` are no markdown."""
    return re.sub(r"^( *)(```|~~~).*?^\1\2$", "", (ROOT / page).read_text(), flags=re.MULTILINE | re.DOTALL)


def anchors(page: str) -> set[str]:
    titles = re.findall(r"^#+ (.*)$", prose(page), re.MULTILINE)
    plain = [re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title) for title in titles]
    return {re.sub(r"[^\w -]", "", title).strip().lower().replace(" ", "-") for title in plain}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(("http://", "https://")):
            continue
        name, _, anchor = target.partition("#")
        path = ((ROOT / page).parent / name).resolve() if name else ROOT / page
        if page.startswith("docs/api/") and anchor:
            continue  # headings made from docstrings: the test of the site looks at them
        assert path.exists(), target
        if anchor and path.suffix == ".md":
            assert anchor in anchors(str(path.relative_to(ROOT))), target


@pytest.mark.parametrize("page", ["README.md", "docs/howto/ladder.md"])
def test_ladder_has_the_published_numbers_and_the_verdicts(page: str) -> None:
    text = (ROOT / page).read_text()
    rows = re.findall(
        r"^\| ([\w ]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \| ([\w ]+) \|$", text, re.MULTILINE
    )
    assert [row[0] for row in rows] == [rung.title for rung in LADDER]
    for row, rung in zip(rows, LADDER, strict=True):
        edp, published, energy, latency = map(float, row[1:5])
        assert published == pytest.approx(rung.published, abs=1e-10)
        assert edp == pytest.approx(energy * latency, rel=1e-8)
        assert edp == pytest.approx(rung.fitting or edp, abs=1e-10)
        judged = "equal" if abs(edp / published - 1) < 1e-6 else "better" if edp < published else "does not fit"
        assert row[5].endswith(judged)


def test_readme_names_every_command() -> None:
    from tests.docs.cli_page import commands

    table = (ROOT / "README.md").read_text().split("| command |")[1].split("\n\n")[0]
    named = set(re.findall(r"^\| `(ff [a-z-]+)", table, re.MULTILINE))
    assert named == {" ".join(command.name.split()[:2]) for command in commands()}


def drawing_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("concept_pictures", ROOT / "docs" / "images" / "concepts.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_of_the_concepts_are_drawn_from_its_numbers() -> None:
    drawn = dict(drawing_script().pictures())
    page = (ROOT / "docs" / "concepts.md").read_text()
    assert {f"images/{path.name}" for path in drawn} == set(re.findall(r"\]\((images/concept-[^)]*)\)", page))
    for path, content in drawn.items():
        assert path.read_text() == content, "run: python docs/images/concepts.py"


# -- docs/plugins.md ------------------------------------------------------------------------------

PACKAGE = "ffcore-edge"


def test_files_of_the_example_plugin_are_those_announced() -> None:
    blocks = page_blocks("docs/plugins.md")
    (tree,) = [b.text for b in blocks if b.language == "text" and b.text.startswith(f"{PACKAGE}/\n")]
    announced = {f"{PACKAGE}/{line.strip()}" for line in tree.splitlines()[1:]}
    assert announced == {b.title for b in blocks if b.title}


def test_each_part_of_the_example_plugin_is_about_forty_lines() -> None:
    parts = [b for b in page_blocks("docs/plugins.md") if Path(b.title).name in ("npu.py", "greedy.py")]
    assert len(parts) == 2
    assert all(len(b.text.splitlines()) <= 50 for b in parts)

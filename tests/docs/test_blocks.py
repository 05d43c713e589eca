"""Every code block of the README and of docs/ runs; `tests.docs.running` says how."""

from __future__ import annotations

from pathlib import Path

import pytest

from plugins.dask_executor.tests.cluster import no_thread_stays as no_thread_stays
from tests.docs.blocks import PAGES, Block, commands, page_blocks, parse, same, sessions
from tests.docs.refresh import refreshed, renewed
from tests.docs.running import LANGUAGES, Page, look_up

WITH_BLOCKS = [page for page in PAGES if page_blocks(page)]


# Starts a scheduler and workers again and again; the tests of that plugin do too.
SLOW = {"docs/howto/cluster.md"}


@pytest.mark.parametrize("page", [pytest.param(p, marks=pytest.mark.slow) if p in SLOW else p for p in WITH_BLOCKS])
def test_blocks_run(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    Page(page_blocks(page), tmp_path).run()


def unknown(blocks: list[Block]) -> list[str]:
    """Blocks of a language that nothing here runs; those for people only must say so with ``text``."""
    return [f"{block}: {block.language or 'no language'}" for block in blocks if block.language not in LANGUAGES]


def unused(blocks: list[Block]) -> list[str]:
    """Titled blocks, that is files, that nothing on the page names, nor a folder that they are in."""
    users = [b.text for b in blocks if not b.title and b.language in ("console", "sh", "python")]
    parts = [(b, {b.title, b.title.split("/")[0]}) for b in blocks if b.title]
    return [f"{block}: {block.title}" for block, names in parts if not any(n in text for n in names for text in users)]


@pytest.mark.parametrize("page", PAGES)
def test_every_block_has_a_language_that_is_run(page: str) -> None:
    assert unknown(page_blocks(page)) == []


@pytest.mark.parametrize("page", WITH_BLOCKS)
def test_every_file_is_used_on_its_page(page: str) -> None:
    assert unused(page_blocks(page)) == []


def test_most_pages_have_blocks() -> None:
    assert {"README.md", "docs/index.md", "docs/spec.md", "docs/plugins.md"} <= set(WITH_BLOCKS)


# -- the mechanism itself -------------------------------------------------------------------------


def run(text: str, folder: Path) -> None:
    Page(parse("page.md", text), folder).run()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_parsing() -> None:
    text = (
        '```sh\na\n```\n\n* x\n\n  ```yaml title="a.yaml"\n  b:\n    c\n  ```\n'
        "<!-- not run: slow -->\n~~~~python\n```\n~~~~\n"
    )
    found = parse("p.md", text)
    assert [(b.line, b.language, b.title, b.text, b.reason) for b in found] == [
        (2, "sh", "", "a\n", ""),
        (8, "yaml", "a.yaml", "b:\n  c\n", ""),
        (13, "python", "", "```\n", "slow"),
    ]
    with pytest.raises(ValueError, match=r"p\.md:1: .* never closed"):
        parse("p.md", "```sh\n")


def test_sessions_and_commands() -> None:
    assert sessions("$ a \\\n  b\nc\n\nd\n$ e\n") == [("a b", ["c", "", "d"]), ("e", [])]
    assert commands(parse("p.md", "```sh\na \\\n  b  # c\n# d\n\n```\n")[0]) == ["a    b  # c"]
    with pytest.raises(ValueError, match="starts with a command"):
        sessions("a\n")


@pytest.mark.parametrize(
    ("shown", "got", "equal"),
    [
        (["a", "b"], ["a", "b", ""], True),
        (["a"], ["a", "b"], False),
        (["a", "…"], ["a", "b", "c"], True),
        (["…", "c"], ["a", "b", "c"], True),
        (["a", "  …", "c"], ["a", "c"], True),
        (["a … c"], ["a 12.3 s c"], True),
        (["a … c"], ["a", "c"], False),
        (["a.c"], ["abc"], False),
    ],
)
def test_comparison(shown: list[str], got: list[str], equal: bool) -> None:
    assert same(shown, got) is equal


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ ff --version\nff 9\n```",
        "```console\n$ ff validate nothing\n```",
        "```console\n$ echo a\nb\n```",
        "```sh\nff validate nothing\n```",
        "```sh\nmake nothing\n```",
        "```sh\nfalse\n```",
        "```python\nassert False\n```",
        "```python\nprint(1)\n```\n```output\n2\n```",
        "```python title='a.py'\n(\n```",
        "```yaml\nworkload: {rank_size: {}}\n```",
        "```toml\na\n```",
        "```json\n{\n```",
        "```text\n$ ff map\n```",
        "```text\nimport ffcore\n```",
        '```yaml title="a.yaml"\narch: {}\n```\n```console\n$ ff validate a.yaml\nvalid\n```',
    ],
)
def test_what_is_wrong_is_noticed(text: str, here: Path) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - whatever it is, the test of the page fails
        run(text + "\n", here)


def test_what_is_right_runs(here: Path) -> None:
    text = (
        '```text title="a.txt"\nfirst\n```\n'
        "```console\n$ cat a.txt b.txt\nfirst\nlate\n```\n"
        '```text title="b.txt"\nlate\n```\n'
        '```text title="a.txt"\nsecond\n```\n'
        "```sh\n# a comment\nff plugins\nmake test\n```\n"
        "```python\nx = open('a.txt').read()\n```\n"
        "```python\nprint(x, end='')\n```\n```output\nsecond\n```\n"
        "<!-- not run: takes long -->\n```sh\nff map ARCH WORKLOAD --jobs 2\n```\n"
    )
    run(text, here)


@pytest.mark.parametrize(
    "command", ["ff mop", "ff map A --job 2", "make nothing", "python -m bench.nothing", "pip install -r nothing.txt"]
)
def test_names_are_looked_up_where_nothing_runs(command: str) -> None:
    with pytest.raises(AssertionError):
        look_up(parse("p.md", f"<!-- not run: takes long -->\n```sh\n{command}\n```\n")[0])


def test_only_commands_may_be_left_out() -> None:
    with pytest.raises(AssertionError, match="only commands"):
        look_up(parse("p.md", "<!-- not run: no time -->\n```python\n1 / 0\n```\n")[0])


def test_unknown_languages_and_unused_files_are_noticed() -> None:
    blocks = parse("p.md", '```\na\n```\n```bash\na\n```\n```yaml title="a.yaml"\n```\n```sh\ncat b.yaml\n```\n')
    assert unknown(blocks) == ["p.md:2: no language", "p.md:5: bash"]
    assert unused(blocks) == ["p.md:8: a.yaml"]


@pytest.mark.parametrize(
    ("shown", "got", "new"),
    [
        (["a … c"], ["a b c"], ["a … c"]),
        (["a"], ["b", "c", ""], ["b", "c"]),
        (["a", "b", "…"], ["a", "x", "y"], ["a", "x", "…"]),
        (["a … c", "b", "…"], ["a 1 c", "x", "y"], ["a … c", "x", "…"]),
        (["a", "b", "c", "…"], ["x"], ["x"]),
        (["x", "a …"], ["y", "z", "a 1"], ["y", "z", "a …"]),
        (["a", "…", "c", "…"], ["b", "1", "c", "2"], ["b", "…", "c", "…"]),
    ],
)
def test_outputs_are_renewed(shown: list[str], got: list[str], new: list[str]) -> None:
    assert renewed(shown, got) == new


def test_a_page_is_refreshed(here: Path) -> None:
    text = (
        "# T\n\n```console\n$ echo a\nb\n$ ff --version\n```\n\n"
        "* x\n\n  ```python\n  print(1)\n  ```\n\n  ```output\n  2\n  3\n  ```\n"
    )
    new = refreshed("p.md", text, parse("p.md", text), here)
    assert new == text.replace("\nb\n", "\na\n").replace("  2\n  3\n", "  1\n")
    run(new, here)

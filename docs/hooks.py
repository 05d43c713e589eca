"""What ``make docs`` does beyond rendering: files from outside docs/ that pages show or link to, put into the site.

``CHANGELOG.md`` becomes a page. Pictures and notebooks keep their path: ``../bench/results/chain.svg``, which is
right in the clone, leads to ``bench/results/chain.svg`` in the site.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = ("bench/results/chain.svg", "notebooks/fast_and_fusiest.ipynb")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the files that stand outside docs/."""
    from mkdocs.structure.files import File

    changes = (ROOT / "CHANGELOG.md").read_text().replace("](docs/", "](")
    files.append(File.generated(config, "changelog.md", content=changes))
    for name in OUTSIDE:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Any, **_: Any) -> str:
    """Links that leave docs/ for one of those files lead to its copy in the site."""
    up = "../" * page.file.src_uri.count("/")
    for name in OUTSIDE:
        markdown = re.sub(rf"\]\((?:\.\./)+{re.escape(name)}\)", f"]({up}{name})", markdown)
    return markdown

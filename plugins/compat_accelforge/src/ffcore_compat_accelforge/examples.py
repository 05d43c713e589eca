"""``af.examples.arches.simple``: files that come with ffcore, by AccelForge's way to name them."""

from __future__ import annotations

from pathlib import Path

from ffcore.plugin import find_file


class Files:
    """The packaged files of one kind; ``.`` and ``-`` of their names are ``_``, as attributes need it."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __getattr__(self, name: str) -> Path:
        if not name.startswith("__"):
            spelled = (name, *(name[:i] + "." + name[i + 1 :] for i, c in enumerate(name) if c == "_"))
            for candidate in spelled:
                found = find_file(candidate)
                if found is not None and found.parent.name == self._kind:
                    return found
        raise AttributeError(
            f"ffcore brings no file {name!r} in {self._kind} (`ff list`): give the path of AccelForge's own"
        )


arches, workloads, mappings = Files("arches"), Files("workloads"), Files("mappings")

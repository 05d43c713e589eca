"""Which files a spec may read, and reading them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import attrs

from ffcore.errors import SpecError, suggest
from ffcore.spec.source.allowed import KEY, VARIABLE, settings_file

MAX_FILE_BYTES = 16 * 2**20

_WIDE = 3  # parts of the path of a folder that is not suggested as a whole, such as /home/user


class SourceProblem(Exception):
    """What is wrong, in one sentence without its place: whoever knows the place makes it a SpecError."""

    def __init__(self, message: str, suggestion: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.suggestion = suggestion


@attrs.frozen
class FileAccess:
    """Reads files below ``folders`` (resolved) only, whatever links or ``..`` a name holds."""

    folders: tuple[Path, ...]

    @classmethod
    def for_folders(cls, folders: Iterable[str | Path]) -> FileAccess:
        """Access to everything below the given folders; SpecError if one's name is unusable."""
        resolved: dict[Path, None] = {}
        for folder in folders:
            try:
                resolved[Path(folder).resolve()] = None
            except (OSError, RuntimeError, ValueError) as error:
                raise SpecError.one(f"{str(folder)!r} is not a usable folder name ({error})") from None
        return cls(tuple(resolved))

    def check(self, path: Path) -> Path:
        """``path`` without links; SourceProblem if it lies outside of the allowed folders."""
        try:
            resolved = path.resolve()
        except (OSError, RuntimeError, ValueError) as error:  # loops of links, null characters
            raise SourceProblem(f"{str(path)!r} is not a usable file name ({error})") from None
        if any(resolved.is_relative_to(folder) for folder in self.folders):
            return resolved
        folder = self._to_allow(resolved.parent)
        raise SourceProblem(
            f"{resolved} lies outside of the folders that this spec may read; if you trust it, allow its folder with "
            f"`--allow-dir {folder}` (in Python: allowed_dirs=[{str(folder)!r}]), for good with `export "
            f"{VARIABLE}={folder}` or under {KEY} in {settings_file()}"
        )

    def _to_allow(self, folder: Path) -> Path:
        """The folder to allow for files in ``folder``: what holds them and the spec, unless that is too much."""
        found = [Path(os.path.commonpath((folder, own))) for own in self.folders]
        narrow = [path for path in found if len(path.parts) > _WIDE and path != Path.home()]
        return max(narrow, key=lambda path: len(path.parts), default=folder)

    def find(self, name: str, folders: Sequence[Path]) -> Path:
        """The first existing file or folder called ``name`` below one of ``folders``, checked."""
        found = self.find_or_none(name, folders)
        if found is None:
            near = [f for folder in folders for f in self._siblings(folder / name)]
            places = ", ".join(dict.fromkeys(str(folder) for folder in folders))
            raise SourceProblem(f"there is no file {name!r} in {places}", suggest(Path(name).name, near))
        return found

    def find_or_none(self, name: str, folders: Sequence[Path]) -> Path | None:
        """As `find`, None where there is none. A place outside of the allowed folders is refused only if
        no allowed one has the file, and whether or not it exists."""
        refusal: SourceProblem | None = None
        for folder in folders:
            try:
                path = self.check(folder / name)
            except SourceProblem as problem:
                refusal = refusal or problem
                continue
            if path.exists():
                return path
        if refusal is not None:
            raise refusal
        return None

    def _siblings(self, path: Path) -> list[str]:
        try:
            return near_files(self.check(path.parent))
        except SourceProblem:
            return []


def near_files(folder: Path) -> list[str]:
    """Names in ``folder``; none if it cannot be listed."""
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except OSError:
        return []


def read_text(path: Path) -> str:
    """Text of a file; SourceProblem if it is missing, no regular file, too large, or not UTF-8."""
    try:
        if not path.exists():
            raise SourceProblem(f"there is no file {str(path)!r}", suggest(path.name, near_files(path.parent)))
        if not path.is_file():
            raise SourceProblem(f"{str(path)!r} is not a regular file")
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SourceProblem(f"{str(path)!r} cannot be read ({reason})") from None
    if len(data) > MAX_FILE_BYTES:
        raise SourceProblem(f"{str(path)!r} is larger than {MAX_FILE_BYTES // 2**20} MiB, the limit for one file")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SourceProblem(f"{str(path)!r} is not UTF-8 text (byte {error.start})") from None


def display(path: Path) -> str:
    """``path`` as messages show it: relative to the working folder where it lies below."""
    try:
        return str(path.relative_to(Path.cwd()))
    except (ValueError, OSError):
        return str(path)

"""Folders that a user allows every spec to read: by an environment variable, and in the user's own settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

import yaml

from ffcore.errors import Position, SpecError

VARIABLE = "FFCORE_ALLOW_DIRS"
KEY = "allow_dirs"


def settings_file(environment: Mapping[str, str] = os.environ) -> Path:
    """The user's settings: ``ffcore/config.yaml`` in ``$XDG_CONFIG_HOME`` or ``~/.config``."""
    base = environment.get("XDG_CONFIG_HOME") or "~/.config"
    return Path(base).expanduser() / "ffcore" / "config.yaml"


def standing_dirs(environment: Mapping[str, str] = os.environ) -> list[Path]:
    """Folders of ``FFCORE_ALLOW_DIRS`` (separated like those of ``PATH``), then those of the user's settings.

    Raises SpecError for settings that cannot be read or say something else.
    """
    named = [Path(name).expanduser() for name in environment.get(VARIABLE, "").split(os.pathsep) if name]
    return [*named, *_of_settings(settings_file(environment))]


def _of_settings(file: Path) -> list[Path]:
    try:
        text = file.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError, PermissionError):
        return []
    except (OSError, ValueError) as error:
        raise SpecError.one(f"the settings cannot be read ({error})", Position(str(file), 1)) from None
    try:
        settings = yaml.safe_load(text)
    except yaml.YAMLError:
        raise SpecError.one("not valid YAML", Position(str(file), 1)) from None
    if settings is None:
        return []
    folders = settings.get(KEY, []) if isinstance(settings, dict) and settings.keys() <= {KEY} else None
    if not isinstance(folders, list) or not all(isinstance(folder, str) for folder in folders):
        raise SpecError.one(f"expected '{KEY}:' and a list of folders, and nothing else", Position(str(file), 1))
    paths = [Path(folder).expanduser() for folder in folders]
    if relative := next((path for path in paths if not path.is_absolute()), None):
        raise SpecError.one(f"{KEY}: {str(relative)!r} must be a full path", Position(str(file), 1))
    return paths

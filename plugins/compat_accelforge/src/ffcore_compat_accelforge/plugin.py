"""The hooks of this distribution: the command that runs scripts. The names are a module to import."""

from collections.abc import Iterable

from ffcore.plugin import CommandRecord, hookimpl


@hookimpl
def ffcore_commands() -> Iterable[CommandRecord]:
    """``ff accelforge``."""
    yield CommandRecord("accelforge", "Run a script written for AccelForge.", "ffcore_compat_accelforge.command:run")

"""The hooks of this distribution."""

from collections.abc import Iterable

from ffcore.plugin import SpecLoaderRecord, hookimpl


@hookimpl
def ffcore_spec_loaders() -> Iterable[SpecLoaderRecord]:
    """Timeloop's files, with ``ff convert --from timeloop`` for them; no suffix is theirs, as they are YAML."""
    yield SpecLoaderRecord(
        "timeloop",
        "Timeloop architectures, problems, mappings and constraints",
        "ffcore_timeloop_import.loader:Loader",
        converter="ffcore_timeloop_import.command:convert",
    )

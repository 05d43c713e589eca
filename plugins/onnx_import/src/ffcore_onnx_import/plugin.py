"""The hooks of this distribution; nothing of onnx is imported before a file is read."""

from collections.abc import Iterable

from ffcore.plugin import CommandRecord, SpecLoaderRecord, hookimpl


@hookimpl
def ffcore_spec_loaders() -> Iterable[SpecLoaderRecord]:
    """The loader of ``.onnx`` files."""
    yield SpecLoaderRecord(
        "onnx",
        "ONNX networks as workloads",
        "ffcore_onnx_import.loader:Loader",
        suffixes=[".onnx"],
        takes_parameters=True,
    )


@hookimpl
def ffcore_commands() -> Iterable[CommandRecord]:
    """``ff convert``."""
    yield CommandRecord("convert", "Write an ONNX network as a native workload.", "ffcore_onnx_import.command:convert")

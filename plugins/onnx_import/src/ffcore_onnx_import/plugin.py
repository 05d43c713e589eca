"""The hooks of this distribution; nothing of onnx is imported before a file is read."""

from collections.abc import Iterable

from ffcore.plugin import SpecLoaderRecord, hookimpl


@hookimpl
def ffcore_spec_loaders() -> Iterable[SpecLoaderRecord]:
    """The loader of ``.onnx`` files, with ``ff convert`` for them."""
    yield SpecLoaderRecord(
        "onnx",
        "ONNX networks as workloads",
        "ffcore_onnx_import.loader:Loader",
        suffixes=[".onnx"],
        takes_parameters=True,
        converter="ffcore_onnx_import.command:convert",
    )

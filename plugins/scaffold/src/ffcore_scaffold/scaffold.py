"""Names, texts and files of a new plugin. The templates are in ``templates``, a folder for each kind."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import keyword
import re
import shlex
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import attrs
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment

import ffcore
from ffcore import plugin
from ffcore.plugin import HOOK_OF_KIND, RECORD_TYPES, FFError, find_file, suggest, write_atomically

TEMPLATES = Path(__file__).resolve().parent / "templates"
PREFIX = "ffcore-"
_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST = 60


@attrs.frozen
class Kind:
    """What differs between kinds: words for people, and what the record says besides name, summary and factory."""

    summary: str
    protocol: str
    factory: str  # how its name ends; arch and executor factories are functions
    usage: str
    extra: tuple[str, ...] = ()
    imports: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def is_function(self) -> bool:
        return not self.factory


KINDS: Mapping[str, Kind] = MappingProxyType({
    "spec_loader": Kind(
        "Specs written in TOML", "SpecLoader", "Loader", "ff validate my_arch{suffix} matmuls",
        extra=('suffixes=["{suffix}"],',),
    ),
    "arch": Kind(
        "One buffer above a square array of MACs", "Arch", "", "ff map {part} matmuls --arch-param buffer_size=64KiB",
        extra=(
            "parameters=[",
            '    Parameter("buffer_size", 2**23, "bit", "size of the buffer"),',
            '    Parameter("array_size", 16, "", "MACs along each side of the array"),',
            '    Parameter("clock", 1e9, "Hz", "clock of the array"),',
            "],",
        ),
        imports=("Parameter",),
    ),
    "cost_model": Kind(
        "Costs of SRAM, DRAM and MACs by simple laws", "CostModel", "CostModel",
        "ff map ARCH WORKLOAD --cost-model {part}",
    ),
    "model": Kind(
        "The default model, and a time to start each Einsum", "Model", "Model",
        "ff evaluate ARCH WORKLOAD MAPPING.yaml --model {part}", needs=("attrs>=23.2",),
    ),
    "explorer": Kind(
        "A few good pmappings of each group, not exact", "Explorer", "Explorer",
        "ff map simple matmuls --explorer {part}", needs=("numpy>=1.26",),
    ),
    "joiner": Kind(
        "Joins a few good pmappings of each group, not exact", "Joiner", "Joiner",
        "ff map simple matmuls --joiner {part}", needs=("numpy>=1.26",),
    ),
    "renderer": Kind(
        "Mermaid flowcharts", "Renderer", "Renderer", "ff render workload matmuls --renderer {part} --format mmd",
        extra=('formats=["mmd"],',),
    ),
    "executor": Kind(
        "Worker processes of low priority", "ExecutorFactory", "", "ff map simple matmuls --executor {part}"
    ),
    "command": Kind(
        "Bits of all tensors of a workload", "CommandRecord", "", "ff {command} simple matmuls", needs=("typer>=0.12",)
    ),
})  # fmt: skip


@attrs.frozen
class Plan:
    """A plugin to be written."""

    distribution: str
    kind: str
    package: str
    part: str  # the name that it registers

    @property
    def summary(self) -> str:
        return KINDS[self.kind].summary

    @property
    def registered(self) -> str:
        """The name of the part; those of commands have hyphens."""
        return self.part.replace("_", "-") if self.kind == "command" else self.part


def plan(name: str, kind: str) -> Plan:
    """Check name and kind. Raises ``FFError`` with a better name, or what the name clashes with."""
    if kind not in RECORD_TYPES:
        guess = suggest(kind, RECORD_TYPES)
        hint = f"; did you mean {guess!r}?" if guess else ""
        raise FFError(f"there are no parts of kind {kind!r}; kinds: {', '.join(RECORD_TYPES)}{hint}")
    if not _NAME.fullmatch(name) or len(name) > _LONGEST:
        raise FFError(
            f"{name!r} is no good name for a distribution: small letters, digits and single hyphens, a letter first, "
            f"at most {_LONGEST} characters; did you mean {_better(name)!r}?"
        )
    stem = name.removeprefix(PREFIX)
    result = Plan(name, kind, name.replace("-", "_"), stem.replace("-", "_"))
    _check_free(result, _better(f"{stem}-{kind}"))
    return result


def _better(name: str) -> str:
    """A name that would do, as near as possible."""
    words = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    words = re.sub(r"^ffcore(-|$)", "", words)
    return f"{PREFIX}{words or 'mine'}"[:_LONGEST].rstrip("-")


def _check_free(wanted: Plan, other: str) -> None:
    """Refuse names that are taken here: by a distribution, a module, or a part of the same kind."""
    try:
        version = importlib.metadata.version(wanted.distribution)
    except importlib.metadata.PackageNotFoundError:
        pass
    else:
        raise FFError(f"{wanted.distribution} {version} is installed already; another name, such as {other!r}?")
    taken = (
        not wanted.package.isidentifier()
        or keyword.iskeyword(wanted.package)
        or wanted.package in sys.stdlib_module_names
        or importlib.util.find_spec(wanted.package) is not None
    )
    if taken:
        raise FFError(f"the module {wanted.package} is not free to be used; another name, such as {other!r}?")
    if wanted.kind == "arch" and (packaged := find_file(wanted.part)) is not None:  # which would be found first
        raise FFError(f"{wanted.part!r} names {packaged.name} of ffcore itself; another name, such as {other!r}?")
    for record, provider in plugin.current_manager().providers(wanted.kind):
        if record.name == wanted.registered:
            words = wanted.kind.replace("_", " ")
            raise FFError(f"{words} {wanted.part!r} is registered by {provider}; another name, such as {other!r}?")


def write(wanted: Plan, folder: Path) -> list[Path]:
    """Write all files below ``folder`` and return their paths. Raises ``FFError`` if the folder holds anything."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FFError(f"{folder} exists already, and nothing is overwritten: choose another folder with --out")
    written: list[Path] = []
    try:
        for name, text in files(wanted).items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            written.append(path)
            write_atomically(path, text)
    except OSError:  # half a plugin would be in the way of the next attempt
        for path in written:
            path.unlink(missing_ok=True)
        below = {parent for path in written for parent in path.parents if folder in parent.parents}
        for parent in sorted(below, reverse=True):  # each after those inside of it
            with suppress(OSError):
                parent.rmdir()
        raise
    return written


def files(wanted: Plan) -> dict[str, str]:
    """Path below the plugin's folder -> text."""
    values = _values(wanted)
    source = f"src/{wanted.package}"
    templates = {
        "pyproject.toml": "common/pyproject.toml",
        "README.md": "common/README.md",
        f"{source}/__init__.py": "common/init.py",
        f"{source}/plugin.py": "common/plugin.py",
        f"{source}/{wanted.kind}.py": f"{wanted.kind}/part.py",
        f"tests/test_{wanted.package}.py": f"{wanted.kind}/test.py",
    }
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    made = {
        path: environment.from_string((TEMPLATES / f"{name}.j2").read_text(encoding="utf-8")).render(values)
        for path, name in templates.items()
    }
    return {**made, f"{source}/py.typed": ""}


def _values(wanted: Plan) -> dict[str, object]:
    """What the templates say; every name has been checked, so that it is an identifier or a hyphenated one."""
    about = KINDS[wanted.kind]
    record = RECORD_TYPES[wanted.kind].__name__
    named = {"part": wanted.registered, "suffix": _suffix(wanted), "command": wanted.registered}
    return {
        "distribution": wanted.distribution,
        "package": wanted.package,
        "part": wanted.registered,
        "command": wanted.registered,
        "entry": wanted.part,
        "module": wanted.kind,
        "kind_words": "architecture" if wanted.kind == "arch" else wanted.kind.replace("_", " "),
        "summary": about.summary,
        "protocol": about.protocol,
        "factory": factory_of(wanted),
        "hook": HOOK_OF_KIND[wanted.kind],
        "record": record,
        "imports": ", ".join([*sorted([*about.imports, record]), "hookimpl"]),
        "extra": [line.format(**named) for line in about.extra],
        "usage": about.usage.format(**named),
        "suffix": named["suffix"],
        "dependencies": [_requirement(), *about.needs],
    }


def factory_of(wanted: Plan) -> str:
    """Name of the class or function that makes the part."""
    about = KINDS[wanted.kind]
    if about.is_function:
        return wanted.part if wanted.kind == "command" else f"make_{wanted.part}"
    name = "".join(word.capitalize() for word in wanted.part.split("_"))
    return name if name.endswith(about.factory) else name + about.factory


def _suffix(wanted: Plan) -> str:
    """``.toml``, or where somebody reads that already a suffix of its own."""
    taken = [s for r in plugin.records("spec_loader") if isinstance(r, plugin.SpecLoaderRecord) for s in r.suffixes]
    return f".{wanted.part}" if ".toml" in taken else ".toml"


def _requirement() -> str:
    """``ffcore>=0.2,<0.3``: plugins are for one minor version."""
    major, minor = ffcore.__version__.split(".")[:2]
    return f"ffcore>={major}.{minor},<{major}.{int(minor) + 1}"


def next_steps(wanted: Plan, folder: Path) -> str:
    """What to do now."""
    about = KINDS[wanted.kind]
    here = shlex.quote(str(folder if folder.is_absolute() else Path(".") / folder))
    here = here if folder.is_absolute() or here.startswith(".") else f"./{here}"
    usage = about.usage.format(part=wanted.registered, suffix=_suffix(wanted), command=wanted.registered)
    lines = ["next:", f"  pip install -e {here}", f"  pytest {here}", "  ff plugins", f"  {usage}"]
    if not wanted.distribution.startswith(PREFIX):
        lines.append(f"plugins are usually called {PREFIX}…, so that they are found: {PREFIX}{wanted.distribution}")
    return "\n".join(lines)

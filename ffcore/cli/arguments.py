"""What the command line says of a spec: enough to read it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from ffcore.spec import Spec

MAPPER_FIELDS = {
    "metrics": ("ffm.metrics",),
    "max_fused_loops": ("ffm.max_fused_loops",),
    "imperfect": ("ffm.explore_imperfect_temporal_loops", "ffm.explore_imperfect_spatial_loops"),
    "explorer": ("explorer",),
    "joiner": ("joiner",),
    "model": ("model",),
    "cost_model": ("cost_model",),
    "executor": ("executor",),
}
"""Options that stand for fields of ``spec.mapper``."""

EXECUTOR_OPTIONS = "executor_options"
"""The field of ``spec.mapper`` in which ``--executor-option NAME=VALUE`` sets NAME."""


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(value or ())


def _is_text(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    items = value if isinstance(value, tuple) else (value,)
    if not all(isinstance(item, str) for item in items):
        raise TypeError(f"{attribute.name} should be text")


@attrs.frozen
class Arguments:
    """Files, parameters and fields; ``arch`` is empty where the command line names none."""

    arch: str = attrs.field(validator=_is_text)
    workload: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_is_text)
    set_variable: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_is_text)
    set_field: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_is_text)
    arch_param: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_is_text)
    allow_dir: tuple[str, ...] = attrs.field(default=(), converter=_texts, validator=_is_text)
    mapper: Mapping[str, str] = attrs.field(factory=dict)  # field of spec.mapper -> text
    no_plugins: bool = False
    baseline: bool = True

    @mapper.validator
    def _texts_by_name(self, _: object, value: object) -> None:
        if not isinstance(value, dict) or not all(isinstance(text, str) for item in value.items() for text in item):
            raise TypeError("mapper should be texts by name")

    def load(self, *, variables: Sequence[str] = (), warn: bool = True) -> Spec:
        """The spec; ``variables``: further ``NAME=VALUE`` of ``--set``. With ``warn``, parameters that no file asks
        for are named on stderr. Raises ``SpecError`` and ``PluginError``."""
        from ffcore.cli.inputs import load_spec

        return load_spec(
            self.arch,
            self.workload,
            variables=[*self.set_variable, *variables],
            fields=self.set_field,
            arch_params=self.arch_param,
            allowed_dirs=[Path(folder) for folder in self.allow_dir],
            mapper=self.mapper,
            warn=warn,
        )

    def given(self) -> list[str]:
        """What of it the command line gives, as it is typed."""
        files = {"ARCH": self.arch, "WORKLOAD": self.workload, "--set": self.set_variable, "--spec": self.set_field}
        others = {"--arch-param": self.arch_param, "--allow-dir": self.allow_dir}
        words = {f"--{name.replace('_', '-')}": self.mapper.get(fields[0]) for name, fields in MAPPER_FIELDS.items()}
        words["--executor-option"] = next((t for f, t in self.mapper.items() if f.startswith(EXECUTOR_OPTIONS)), None)
        return [name for name, value in {**files, **others, **words}.items() if value]

    @property
    def workers(self) -> dict[str, str]:
        """What it says of who does the work: of ``mapper``, what bears on no result."""
        return {f: t for f, t in self.mapper.items() if f == "executor" or f.startswith(EXECUTOR_OPTIONS)}

    def without_workers(self) -> Arguments:
        """The same without `workers`."""
        return attrs.evolve(self, mapper={f: t for f, t in self.mapper.items() if f not in self.workers})

    def from_anywhere(self) -> Arguments:
        """The same with files by their full paths."""
        from ffcore.files import real

        return attrs.evolve(
            self,
            arch=_full(self.arch),
            workload=tuple(map(_full, self.workload)),
            allow_dir=tuple(str(real(folder)) for folder in self.allow_dir),
        )


def _full(source: str) -> str:
    from ffcore.files import real

    return str(real(source)) if Path(source).exists() else source

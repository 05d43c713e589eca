"""The parameters of the TPU-like architecture: type, unit, default and check of each.

Light on purpose: the plugin's hook reads the list of parameters before any architecture is built.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import attrs

from ffcore.plugin import Dimension, ErrorCollector, Parameter, SpecError, parse_quantity, suggest

INFINITY = math.inf
MIB = 8.0 * 2**20  # bits

T = TypeVar("T")
Reader = Callable[[object], Any]

_DIMENSION_OF_UNIT = {d.value: d for d in Dimension}
_TRUTH = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}


def _number(value: object, unit: str) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise SpecError.one(f"{value!r} is not a number")
    number = parse_quantity(value, _DIMENSION_OF_UNIT[unit])
    if math.isnan(number):
        raise SpecError.one(f"{value!r} is not a number")
    return number


def _read_whole(value: object) -> int:
    number = _number(value, "")
    if number < 1 or not number.is_integer():
        raise SpecError.one(f"{value!r} is not a whole number of at least 1")
    return int(number)


def _read_flag(value: object) -> bool:
    truth = _TRUTH.get(str(value).lower()) if isinstance(value, (bool, int, str)) else None
    if truth is None:
        raise SpecError.one(f"{value!r} is neither true nor false")
    return truth


def _read_positive(unit: str) -> Reader:
    def read(value: object) -> float:
        number = _number(value, unit)
        if number <= 0:
            raise SpecError.one(f"{value!r} is not above zero")
        return number

    return read


def _read_cost(unit: str) -> Reader:
    def read(value: object) -> float:
        number = _number(value, unit)
        if number < 0 or math.isinf(number):
            raise SpecError.one(f"{value!r} is not a finite number of at least zero")
        return number

    return read


def _field(default: T, unit: str, summary: str, read: Reader) -> T:
    return attrs.field(default=default, metadata={"unit": unit, "summary": summary, "read": read})


def _count(default: int, summary: str) -> int:
    return _field(default, "", summary, _read_whole)


def _flag(default: bool, summary: str) -> bool:
    return _field(default, "", summary, _read_flag)


def _positive(default: float, unit: str, summary: str) -> float:
    return _field(default, unit, summary, _read_positive(unit))


def _energy(default: float, unit: str, summary: str) -> float:
    return _field(default, unit, summary, _read_cost(unit))


@attrs.frozen(kw_only=True)
class TpuParameters:
    """Every knob of the architecture, in SI units; the defaults are those of ``tpu_v4i_like``.

    Build it with :func:`read_parameters`, which checks and converts; all energies but those of the
    compute units are per bit.
    """

    cores: int = _count(4, "cores: the fanout of the spatial dimension Z")
    array_rows: int = _count(128, "rows of each core's array: the dimension that reuses `output`")
    array_cols: int = _count(128, "columns of each core's array: the dimension that reuses `input`")
    scalar_lanes: int = _count(128, "operations per cycle of each core's scalar unit")
    clock: float = _positive(1.05e9, "Hz", "clock of the array and of the scalar unit")
    main_memory_size: float = _positive(INFINITY, "bit", "size of the main memory")
    global_buffer_size: float = _positive(128 * MIB, "bit", "size of the global buffer")
    local_buffer_size: float = _positive(4 * MIB, "bit", "size of each core's local buffer")
    main_memory_bandwidth: float = _positive(8 * 614e9, "bit/s", "bandwidth that reads and writes of main memory share")
    global_buffer_read_bandwidth: float = _positive(8 * 2048e9, "bit/s", "bandwidth of the global buffer's read port")
    global_buffer_write_bandwidth: float = _positive(8 * 1024e9, "bit/s", "bandwidth of its separate write port")
    main_memory_read_energy: float = _energy(7.03e-12, "J/bit", "energy to read a bit of main memory")
    main_memory_write_energy: float = _energy(7.03e-12, "J/bit", "energy to write a bit of main memory")
    global_buffer_read_energy: float = _energy(1.88e-12, "J/bit", "energy to read a bit of the global buffer")
    global_buffer_write_energy: float = _energy(2.36e-12, "J/bit", "energy to write a bit of the global buffer")
    local_buffer_read_energy: float = _energy(0.249e-12, "J/bit", "energy to read a bit of a local buffer")
    local_buffer_write_energy: float = _energy(0.293e-12, "J/bit", "energy to write a bit of a local buffer")
    register_energy: float = _energy(0.0, "J/bit", "energy to read or write a bit of a register")
    mac_energy: float = _energy(0.084e-12, "J", "energy of one multiply-accumulate")
    scalar_energy: float = _energy(0.0, "J", "energy of one operation of the scalar unit")
    constrain_z: bool = _flag(False, "whether cores may not split a rank variable of `weight`")
    computes_copies: bool = _flag(False, "whether the scalar unit is charged one operation per value copied")


UNCONSTRAINED = TpuParameters()
CONSTRAINED = TpuParameters(
    constrain_z=True,
    computes_copies=True,
    global_buffer_read_bandwidth=INFINITY,
    global_buffer_write_bandwidth=INFINITY,
)


def parameter_records(defaults: TpuParameters) -> tuple[Parameter, ...]:
    """The parameters as ``ff plugins`` and ``--arch-param`` know them."""
    return tuple(
        Parameter(f.name, getattr(defaults, f.name), f.metadata["unit"], f.metadata["summary"])
        for f in attrs.fields(TpuParameters)
    )


def read_parameters(defaults: TpuParameters, given: Mapping[str, object]) -> TpuParameters:
    """``defaults`` with ``given`` on top; values may be numbers in SI units or texts such as ``64 MiB``.

    Raises :class:`SpecError` with every unknown name (and what was probably meant) and every
    value that makes no sense.
    """
    fields = {f.name: f for f in attrs.fields(TpuParameters)}
    errors = ErrorCollector()
    values: dict[str, Any] = {}
    for name, value in given.items():
        if name not in fields:
            guess = suggest(name, fields)
            listed = "" if guess else f"; there are {', '.join(fields)}"
            errors.extend(SpecError.one(f"the architecture has no parameter {name!r}{listed}", suggestion=guess))
            continue
        try:
            values[name] = fields[name].metadata["read"](value)
        except SpecError as error:
            for problem in error.problems:
                errors.extend(SpecError([attrs.evolve(problem, message=f"parameter {name!r}: {problem.message}")]))
    errors.raise_if_any()
    return attrs.evolve(defaults, **values)

"""The JSON in the folder of ``--out``: ``run.json``, and a spec that comes back as it was from ``spec.json``."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ffcore.errors import FFError, SpecError
from ffcore.files import read_regular, write_atomically

if TYPE_CHECKING:
    from ffcore.spec import Spec

ANEW = "map anew with `ff map ARCH WORKLOAD --out DIR`"


def write_spec(file: Path, spec: Spec) -> None:
    """Write a spec, and beside it the files that its cost model reads. Raises ``OSError`` where that cannot be done."""
    from ffcore.spec.cost_model import keep_files

    keep_files(spec, file)
    write_atomically(file, as_json(encoded(spec.to_dict())))


def read_spec(file: Path, anew: str = ANEW) -> Spec:
    """The spec that a file holds. Raises ``FFError``, which ends in ``anew``, for one that is missing or damaged."""
    from ffcore.spec.spec import spec_from_data

    try:
        return spec_from_data(decoded(read_json(file, anew)), str(file))
    except SpecError as error:
        raise FFError(f"{file} is damaged ({error.problems[0].message}); {anew}") from None
    except RecursionError:
        raise FFError(f"{file} is damaged (too many levels); {anew}") from None


def read_json(file: Path, anew: str = ANEW) -> dict[str, Any]:
    """The mapping that a file holds. Raises ``FFError``, which ends in ``anew``, for one that is missing or damaged."""
    try:
        data = json.loads(read_regular(file).decode())
        if _levels(data) > _MOST_LEVELS:
            raise RecursionError
        as_json(data).encode()  # fails for what Python reads but is no JSON: NaN, half a character
    except FileNotFoundError:
        raise FFError(f"{file} is missing; {anew}") from None
    except (ValueError, RecursionError) as error:
        said = "too many levels" if isinstance(error, RecursionError) else error
        raise FFError(f"{file} is damaged ({said}); {anew}") from None
    if not isinstance(data, dict):
        raise FFError(f"{file} is damaged (it is no mapping); {anew}")
    return data


_MOST_LEVELS = 200  # more than a spec can have; what goes through the data is recursive


def _levels(data: Any) -> int:
    items = data.values() if isinstance(data, dict) else data if isinstance(data, list) else ()
    return 1 + max(map(_levels, items), default=0)


def as_json(data: Any) -> str:
    """The text of a file."""
    return json.dumps(data, indent=2, allow_nan=False, ensure_ascii=False) + "\n"


# JSON has no infinity: such numbers are written as YAML spells them, which no other value of a spec looks like.
_NUMBERS = {".inf": math.inf, "-.inf": -math.inf}


def encoded(data: Any) -> Any:
    """The data as JSON can hold it."""
    if isinstance(data, Mapping):
        return {key: encoded(value) for key, value in data.items()}
    if isinstance(data, list | tuple):
        return [encoded(item) for item in data]
    if isinstance(data, float) and not math.isfinite(data):
        return next((text for text, number in _NUMBERS.items() if number == data), ".nan")
    return data


def decoded(data: Any) -> Any:
    """The data that `encoded` was given."""
    if isinstance(data, dict):
        return {key: decoded(value) for key, value in data.items()}
    if isinstance(data, list):
        return [decoded(item) for item in data]
    return _NUMBERS.get(data, data) if isinstance(data, str) else data

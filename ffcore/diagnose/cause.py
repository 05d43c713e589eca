"""What a diagnosis finds, as data; errors are made from it."""

from __future__ import annotations

import enum

import attrs

from ffcore.diagnose.constraints import Constraint
from ffcore.errors import NoValidMappingError


class CauseKind(enum.StrEnum):
    """What is at fault."""

    CAPACITY = "capacity"  # memories are too small
    CONSTRAINT = "constraint"  # constraints leave an Einsum, or Einsums together, without a mapping
    COMPUTE = "compute"  # no Compute is enabled for an Einsum
    PMAPPINGS = "pmappings"  # what was given to the join: too little, or filtered too far
    UNKNOWN = "unknown"  # what is at fault was not found, at least not in time


@attrs.frozen
class Need:
    """A memory, the size that it has and a size with which there is a mapping (bits)."""

    memory: str
    has_bits: float
    needed_bits: float
    exact: bool  # one bit less would not do
    einsum: str = ""  # that runs when the memory is fullest

    @property
    def path(self) -> str:
        """The spec field that holds the size."""
        return f"arch.nodes.{self.memory}.size"


@attrs.frozen
class Cause:
    """Why there is no mapping.

    ``needs``: memories of which all must grow. ``instead``: any one of these would do as well. ``constraints``: of
    these one would have to go (``any_one``) or all; beside ``needs`` they are a further way out.
    ``also_small``: without the constraints some memory is too small still.
    """

    kind: CauseKind
    message: str
    einsum: str = ""
    needs: tuple[Need, ...] = ()
    instead: tuple[Need, ...] = ()
    constraints: tuple[Constraint, ...] = ()
    any_one: bool = True
    also_small: bool = False

    @property
    def memory(self) -> str:
        """The first memory that must grow, "" if it is not that."""
        return self.needs[0].memory if self.needs else ""

    @property
    def needed_bits(self) -> float | None:
        """The size that `memory` must have."""
        return self.needs[0].needed_bits if self.needs else None

    @property
    def error(self) -> NoValidMappingError:
        """The same as an error to be raised."""
        return NoValidMappingError(self.message, self.einsum, self.memory, self.needed_bits)

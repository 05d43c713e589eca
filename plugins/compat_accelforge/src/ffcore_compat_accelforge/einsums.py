"""Einsums and tensors that answer what scripts for AccelForge ask of them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ffcore.plugin import workload

_NAME = re.compile(r"[A-Za-z_]\w*")


class Names(list[str]):
    """Names in order, each once; with the operators of sets."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        super().__init__(dict.fromkeys(names))

    def __and__(self, others: Iterable[str]) -> Names:
        kept = set(others)
        return Names(name for name in self if name in kept)

    def __sub__(self, others: Iterable[str]) -> Names:
        gone = set(others)
        return Names(name for name in self if name not in gone)

    def __or__(self, others: Iterable[str]) -> Names:
        return Names([*self, *others])

    def __xor__(self, others: Iterable[str]) -> Names:
        others = Names(others)
        return (self - others) | (others - self)

    __rand__ = __and__
    __ror__ = __or__


class TensorAccess(workload.TensorAccess):
    """One tensor as one Einsum reads or writes it."""

    @property
    def ranks(self) -> tuple[str, ...]:
        """Its ranks in order."""
        return tuple(self.projection)

    @property
    def rank2rank_variables(self) -> dict[str, Names]:
        """Rank -> the rank variables that index it."""
        return {rank: Names(_NAME.findall(str(index))) for rank, index in self.projection.items()}

    @property
    def rank_variable2ranks(self) -> dict[str, Names]:
        """Rank variable -> the ranks that it indexes."""
        by_rank = self.rank2rank_variables
        return {v: Names(rank for rank, own in by_rank.items() if v in own) for v in self.rank_variables}

    @property
    def rank_variables(self) -> Names:
        """Rank variables that index it."""
        return Names(v for own in self.rank2rank_variables.values() for v in own)

    @property
    def directly_indexing_rank_variables(self) -> Names:
        """Those that are alone in a rank."""
        return Names(str(index).strip() for index in self.projection.values() if _NAME.fullmatch(str(index).strip()))

    @property
    def expression_indexing_rank_variables(self) -> Names:
        """Those that stand in an expression."""
        mixed = (str(index) for index in self.projection.values() if not _NAME.fullmatch(str(index).strip()))
        return Names(v for index in mixed for v in _NAME.findall(index))


def named_accesses(einsum: workload.Einsum) -> list[Any]:
    """The accesses of an Einsum as ones that name their ranks."""
    return [a if isinstance(a, TensorAccess) else a.recast(TensorAccess) for a in einsum.tensor_accesses]


class Einsum(workload.Einsum):
    """An Einsum that names its tensors and their rank variables."""

    @property
    def _accesses(self) -> list[TensorAccess]:
        return named_accesses(self)

    @property
    def tensor_names(self) -> Names:
        """Tensors in the order of the accesses."""
        return Names(access.name for access in self.tensor_accesses)

    @property
    def input_tensor_names(self) -> Names:
        """Tensors that it reads."""
        return Names(access.name for access in self.tensor_accesses if not access.output)

    @property
    def output_tensor_names(self) -> Names:
        """Tensors that it writes."""
        return Names(access.name for access in self.tensor_accesses if access.output)

    @property
    def ranks(self) -> Names:
        """Ranks of all tensors."""
        return Names(rank for access in self._accesses for rank in access.ranks)

    @property
    def rank_variable2ranks(self) -> dict[str, Names]:
        """Rank variable -> the ranks that it indexes, of all tensors."""
        each = [access.rank_variable2ranks for access in self._accesses]
        return {v: Names(rank for own in each for rank in own.get(v, ())) for v in self.rank_variables}

    @property
    def tensor2rank_variables(self) -> dict[str, Names]:
        """Tensor -> the rank variables that index it."""
        return self._by_tensor("rank_variables")

    @property
    def tensor2directly_indexing_rank_variables(self) -> dict[str, Names]:
        """Tensor -> the rank variables that are alone in one of its ranks."""
        return self._by_tensor("directly_indexing_rank_variables")

    @property
    def tensor2expression_indexing_rank_variables(self) -> dict[str, Names]:
        """Tensor -> the rank variables that stand in an expression."""
        return self._by_tensor("expression_indexing_rank_variables")

    @property
    def tensor2irrelevant_rank_variables(self) -> dict[str, Names]:
        """Tensor -> the Einsum's rank variables that do not index it."""
        return {name: Names(self.rank_variables) - own for name, own in self.tensor2rank_variables.items()}

    def _by_tensor(self, what: str) -> dict[str, Names]:
        found: dict[str, Names] = {}
        for access in self._accesses:
            found[access.name] = found.get(access.name, Names()) | getattr(access, what)
        return found

"""Specifications: what the user writes, and its evaluation to plain numbers (``ffcore.spec.problem``)."""

from ffcore.spec.architecture import Arch, NodeList
from ffcore.spec.library import arch
from ffcore.spec.mapper import Mapper
from ffcore.spec.renames import Renames
from ffcore.spec.spec import Spec
from ffcore.spec.workload import Einsum, TensorAccess, Workload

__all__ = ["Arch", "Einsum", "Mapper", "NodeList", "Renames", "Spec", "TensorAccess", "Workload", "arch"]

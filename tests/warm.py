"""Compiles the kernels that most tests use, once: each process of the tests would do it for itself.

python -m tests.warm
"""

from __future__ import annotations

from tests.array_problems import array_problem
from tests.odd_problems import odd_problem
from tests.oracle.compare import fast, seeded


def main() -> None:
    """Search a few small problems of each kind."""
    for seed in range(6):
        for problem in (seeded(seed), array_problem(seed), odd_problem(seed, 2)):
            if problem is not None:
                fast(problem)


if __name__ == "__main__":
    main()

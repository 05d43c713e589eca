"""The exhaustive reference mapper: plain, slow, and independent of the fast path, which it checks.

It enumerates every holder choice and order, every loop and tile size, and every join, and drops
only what is invalid. Docstrings say how it reads the semantics where they leave
room (search for "Decision").
"""

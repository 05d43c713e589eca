"""Mappings: nests of one Einsum, trees of the whole workload, and the way between them and YAML."""

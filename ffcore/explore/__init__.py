"""Exploration: the Pareto-optimal pmappings of each Einsum."""

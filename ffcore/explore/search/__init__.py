"""The search for the Pareto-optimal pmappings of one Einsum: a dynamic programme over tile sizes, cut by cut."""

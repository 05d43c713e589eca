"""Pmappings as arrays: what explorers hand to joiners, and what joiners choose from them."""

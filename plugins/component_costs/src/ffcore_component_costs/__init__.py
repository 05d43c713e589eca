"""What the components of an architecture cost: read from tables."""

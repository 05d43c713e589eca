"""What the components of an architecture cost: read from tables, or asked of the library hwcomponents."""

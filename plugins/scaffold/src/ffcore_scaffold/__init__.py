"""The start of a plugin: a package with a small part that works, its hook and its test."""

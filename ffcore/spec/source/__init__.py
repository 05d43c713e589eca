"""Reading spec files: sandboxed Jinja2, then YAML in which every value knows its line."""

from ffcore.spec.source.load import load_sources, load_text
from ffcore.spec.source.nodes import Node, YamlMap, YamlScalar, YamlSeq, to_plain

__all__ = ["Node", "YamlMap", "YamlScalar", "YamlSeq", "load_sources", "load_text", "to_plain"]

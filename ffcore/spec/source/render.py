"""Rendering one template: its text with line markers, or a SpecError that names the line."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import TracebackType
from typing import Any

from jinja2 import Template, TemplateNotFound, TemplateSyntaxError, UndefinedError, nodes
from jinja2.exceptions import SecurityError
from jinja2.ext import Extension
from jinja2.parser import Parser

from ffcore.errors import Position, SpecError, suggest
from ffcore.spec.source.files import MAX_FILE_BYTES, SourceProblem
from ffcore.spec.source.lines import OPEN, RESERVED, TOKEN_CLOSE, TOKEN_OPEN, LineMarkers
from ffcore.spec.source.sandbox import Meter, Sandbox, written


class IncludedText(str):
    """Text of an included file; written as it is, it still knows the lines that it came from."""

    _marked: str

    @classmethod
    def make(cls, text: str, marked: str) -> IncludedText:
        """``text`` for computing with, ``marked`` for writing."""
        made = cls(text)
        made._marked = marked
        return made


class IncludedValue:
    """Stands for parsed data; written, it becomes a placeholder that the YAML stage replaces."""

    def __init__(self, number: int) -> None:
        self._number = number

    def __str__(self) -> str:
        return f"{TOKEN_OPEN}{self._number}{TOKEN_CLOSE}"

    __repr__ = __str__


class AssertTag(Extension):
    """``{% assert condition, message %}`` fails with the message unless the condition is true."""

    tags = {"assert"}  # noqa: RUF012

    def parse(self, parser: Parser) -> nodes.Node:
        """Before: the tag. After: ``{% if not condition %}`` fail."""
        line = next(parser.stream).lineno
        condition = parser.parse_expression()
        message: nodes.Expr = nodes.Const("an assertion in the file failed", lineno=line)
        if parser.stream.skip_if("comma"):
            message = parser.parse_expression()
        failure = nodes.ExprStmt(self.call_method("_fail", [message], lineno=line), lineno=line)
        return nodes.If(nodes.Not(condition, lineno=line), [failure], [], [], lineno=line)

    def _fail(self, message: object) -> None:
        raise SourceProblem(str(message))


def make_environment(meter: Meter) -> Sandbox:
    """The sandbox of one load, with our tag, line markers and rules of writing values."""
    environment = Sandbox(meter, [AssertTag, LineMarkers])

    def finalize(value: Any) -> Any:
        if isinstance(value, IncludedText):
            meter.measure(value)
            return value._marked
        text = str(value) if isinstance(value, IncludedValue) else written(value, meter)
        if OPEN in text:
            raise SourceProblem("a value holds the reserved character U+E000")
        return text

    environment.finalize = finalize
    return environment


def compiled(
    environment: Sandbox, text: str, place: str, number: int, helpers: Mapping[str, Callable[..., object]]
) -> Template:
    """The template ``text``; see `render`. Raises SpecError for reserved characters, and whatever Jinja raises."""
    reserved = RESERVED.search(text)
    if reserved:
        line = text.count("\n", 0, reserved.start()) + 1
        raise SpecError.one(f"the character U+{ord(reserved[0]):04X} is reserved", Position(place, line))
    environment.meter.template(text)
    code = environment.compile(text, str(number), _filename(number))
    return Template.from_code(environment, code, {**environment.globals, **helpers})


def _filename(number: int) -> str:
    """What Python calls the file of that number in tracebacks."""
    return f"<template {number}>"


def render(
    environment: Sandbox,
    text: str,
    place: str,
    number: int,
    variables: Mapping[str, object],
    helpers: Mapping[str, Callable[..., object]],
) -> str:
    """The template ``text`` of the file shown as ``place``, rendered, with line markers.

    ``number`` is the file's number in the markers. Variables may hide helpers. Raises SpecError only.
    """
    filename = _filename(number)
    try:
        template = compiled(environment, text, place, number, helpers)
        parts: list[str] = []
        size = 0
        for part in template.generate({str(name): value for name, value in variables.items()}):
            size += len(part)
            if size > MAX_FILE_BYTES:
                raise SourceProblem(f"the rendered text is larger than {MAX_FILE_BYTES // 2**20} MiB")
            parts.append(part)
        return "".join(parts)
    except SpecError:
        raise
    # A template is a program of the user: whatever it raises is the user's error.
    except Exception as error:
        position = Position(place, _line_of(error, filename))
        message, suggestion = _explain(error, text, {*variables, *environment.globals, *helpers})
        raise SpecError.one(message, position, suggestion) from None


def _line_of(error: Exception, filename: str) -> int:
    """Line of the template that the error comes from (its innermost frame)."""
    if isinstance(error, TemplateSyntaxError):
        return error.lineno
    line = 1
    frame: TracebackType | None = error.__traceback__
    while frame is not None:
        if frame.tb_frame.f_code.co_filename == filename:
            line = frame.tb_lineno
        frame = frame.tb_next
    return line


def _explain(error: Exception, text: str, names: set[str]) -> tuple[str, str | None]:
    """One sentence for the error, and a name that was probably meant."""
    if isinstance(error, SourceProblem):
        return error.message, error.suggestion
    if isinstance(error, TemplateSyntaxError):
        return f"Jinja: {_sentence(error.message or 'syntax error')}", None
    if isinstance(error, UndefinedError):
        undefined = re.fullmatch(r"'(\w+)' is undefined", str(error))
        if undefined:
            assigned = re.findall(r"{%[-+]?\s*set\s+(\w+)", text)
            name = undefined[1]
            return f"the Jinja variable {name!r} is undefined", suggest(name, {*names, *assigned})
        return f"Jinja: {_sentence(error)}", None
    if isinstance(error, SecurityError):
        return f"Jinja: {_sentence(error)}, so it is not allowed", None
    if isinstance(error, RecursionError):
        return "the Jinja template is nested too deeply", None
    if isinstance(error, MemoryError):
        return "the Jinja template needs too much memory", None
    if isinstance(error, TemplateNotFound):
        return f"there is no file {error.name!r} to include, import or extend", None
    return f"Jinja: {_sentence(error)} ({type(error).__name__})", None


def _sentence(message: object) -> str:
    return " ".join(str(message).split()).rstrip(".") or "error"

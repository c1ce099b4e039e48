"""Configurations as trackers keep them: one JSON document, or a text for every setting."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from typing import Any, cast

MOST_TEXT = 10_000
"""A longer text is a prompt or a template, not a number or a list."""
NAMESPACES = ("Namespace(", "namespace(")
"""How argparse's and Python's own are printed."""


def from_json(text: str | bytes) -> dict[str, Any]:
    """The JSON object that a text is; {} for any other text.

    >>> from_json('{"lr": 1e-6}'), from_json("[1]"), from_json("{")
    ({'lr': 1e-06}, {}, {})
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    return cast(dict[str, Any], document) if isinstance(document, dict) else {}


def from_texts(texts: Mapping[str, str]) -> dict[str, Any]:
    """Settings of which only the text was kept, names joined with "/" or ".".

    >>> from_texts({"actor/clip": "0.2", "use_tis": "False", "quantization": "None", "name": "a b"})
    {'actor.clip': 0.2, 'use_tis': False, 'quantization': None, 'name': 'a b'}
    """
    return {name.replace("/", "."): _value(text) for name, text in texts.items()}


def unfolded(value: Any) -> Any:
    """Arguments within arguments, of which a tracker kept only what Python prints of them.

    >>> unfolded("Namespace(clip=0.2, adam=Namespace(lr=1e-06), limit=inf)"), unfolded("Namespace(")
    ({'clip': 0.2, 'adam': {'lr': 1e-06}, 'limit': 'inf'}, 'Namespace(')
    """
    if not (isinstance(value, str) and value.startswith(NAMESPACES)):
        return value
    try:
        return _from_call(ast.parse(value, mode="eval").body)
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return value


def _from_call(node: ast.expr) -> Any:
    """A mapping of a printed namespace, and of anything else its plain value or its text."""
    if isinstance(node, ast.Call) and ast.unparse(node.func) + "(" in NAMESPACES:
        return {word.arg: _from_call(word.value) for word in node.keywords if word.arg}
    return _value(ast.unparse(node))


def _value(text: str) -> Any:
    """What Python wrote as this text where that is plain data, else the text itself."""
    if len(text) > MOST_TEXT:
        return text
    try:
        return ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
        return text

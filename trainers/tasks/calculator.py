"""A calculator for agents: whole-number arithmetic, nothing else of the language.

The expression is parsed, never executed, and walked node by node; length, depth and size of
every intermediate result are bounded, so that no input can take noticeable time or memory.
"""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

LONGEST, DEEPEST, LARGEST = 60, 12, 10**9

_OPERATORS: dict[type[ast.operator], Callable[[int, int], int]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.FloorDiv: lambda left, right: left // right,
    ast.Mod: operator.mod,
}


class CannotCompute(ValueError):
    """Not an expression, or one beyond the limits; the message says which."""


def compute(expression: str) -> int:
    """Value of an expression of whole numbers, + - * // %, and parentheses.

    >>> compute("(12 + 5) * 7")
    119
    """
    if len(expression) > LONGEST:
        raise CannotCompute(f"longer than {LONGEST} characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
    except (SyntaxError, ValueError) as error:
        raise CannotCompute("not an expression") from error
    return _value(tree.body, DEEPEST)


def _value(node: ast.expr, depth: int) -> int:
    if depth == 0:
        raise CannotCompute(f"nested deeper than {DEEPEST}")
    match node:
        case ast.Constant(value=int() as number) if not isinstance(number, bool):
            result = number
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            result = -_value(operand, depth - 1)
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            operands = _value(left, depth - 1), _value(right, depth - 1)
            try:
                result = _OPERATORS[type(op)](*operands)
            except ZeroDivisionError as error:
                raise CannotCompute("division by zero") from error
        case _:
            raise CannotCompute(f"{type(node).__name__} is not arithmetic")
    if abs(result) > LARGEST:
        raise CannotCompute(f"a result beyond {LARGEST}")
    return result

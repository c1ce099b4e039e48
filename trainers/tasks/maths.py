"""Tool-integrated maths: a problem in words, a calculator to call, an answer to give.

Numbers are spelled digit by digit. `calc EXPRESSION` shows its value in the next observation,
`answer NUMBER` ends the episode.
"""

from __future__ import annotations

from random import Random

from collapse_lab.trainers.tasks.base import Observation, Task
from collapse_lab.trainers.tasks.calculator import CannotCompute, compute

TEMPLATES = {
    "total": ("have {a} buy {b} boxes with {c}", "{a} + {b} * {c}"),
    "left": ("have {a} boxes with {b} lose {c}", "{a} * {b} - {c}"),
    "area": ("side {a} longer by {b} other {c}", "( {a} + {b} ) * {c}"),
    "share": ("have {a} and {b} share by {c}", "( {a} + {b} ) // {c}"),
}
"""Kind -> the problem, and the expression that solves it."""
OPERATORS = ("+", "-", "*", "//", "%", "(", ")")
DIGITS = tuple("0123456789")
LONGEST_RESULT = 6
"""Digits of a result that is shown; a longer one is an error."""


class Maths(Task):
    """Any call is admissible whose words are an expression; an answer must be a number."""

    name = "maths"
    kinds = tuple(TEMPLATES)
    words = (
        *(word for text, _ in TEMPLATES.values() for word in text.split() if "{" not in word),
        *DIGITS,
        *OPERATORS,
        *("calc", "answer", "result", "none", "error", "sum", "product", "division"),
        *("call", "give", "number"),
    )
    rules = (
        "An observation is a problem, the last result of the calculator and how the last action "
        "went. Numbers are written digit by digit with spaces, such as 1 2 for twelve. Actions: "
        "calc EXPRESSION (digits, + - * // % and parentheses), answer NUMBER (ends the game)."
    )
    turn_limit = 4
    response_limit = 20

    def begin(self, random: Random) -> None:
        self.kind = random.choice(self.kinds)
        text, solution = TEMPLATES[self.kind]
        numbers = {"a": random.randint(10, 99), "b": random.randint(2, 19)}
        numbers["c"] = random.randint(2, 9)
        spelled = {name: spell(number) for name, number in numbers.items()}
        self.problem, self.solution = text.format(**spelled), solution.format(**spelled)
        self.truth = compute(join(self.solution))
        self.shown = "none"
        self.given: int | None = None

    def observe(self) -> Observation:
        state = f"{self.problem} result {self.shown}"
        return Observation(f"{state} {self.outcome}", state)

    def admits(self, action: str) -> bool:
        verb, _, words = action.partition(" ")
        if verb == "calc":
            return bool(words) and set(words.split()) <= {*DIGITS, *OPERATORS}
        digits = words.removeprefix("- ").split()
        return verb == "answer" and 0 < len(digits) <= LONGEST_RESULT and set(digits) <= {*DIGITS}

    def admissible(self) -> list[str]:
        numbers = self.problem.split()
        digits = [word for word in numbers if word in DIGITS]
        return [f"calc {digits[0]} {op} {digits[-1]}" for op in ("+", "-", "*", "//")] + [
            f"answer {digits[0]} {digits[-1]}",
            f"calc {digits[0]} {digits[1]} + {digits[-1]}",
        ]

    def act(self, action: str) -> None:
        verb, _, words = action.partition(" ")
        if verb == "answer":
            self.given = int(join(words))
            return
        try:
            value = str(compute(join(words)))
            self.shown = spell(value) if len(value) <= LONGEST_RESULT else "error"
        except CannotCompute:
            self.shown = "error"

    def over(self) -> bool:
        return self.given is not None

    def score(self) -> float:
        return float(self.given == self.truth)

    def expert(self) -> tuple[str, str]:
        if self.shown in ("none", "error"):
            return "call calc", f"calc {self.solution}"
        return "give result", f"answer {self.shown}"


def spell(number: int | str) -> str:
    """Digits as words: 12 -> "1 2"."""
    return " ".join(str(number))


def join(words: str) -> str:
    """Words as an expression: neighbouring digits are one number.

    >>> join("1 2 + ( 5 // 7 )")
    '12+(5//7)'
    """
    return words.replace(" ", "")

"""The answer format: `<think> ... </think> <action> ... </action>`, each mark once and in order.

Judged as in ARLArena: a response has a valid format when it is nothing but the two parts; the
action inside is valid when, besides, the task admits it.
"""

from __future__ import annotations

THINK, END_THINK, ACTION, END_ACTION = MARKS = ("<think>", "</think>", "<action>", "</action>")

OPENERS = ("now", "next", "so", "then")
"""A scripted thought begins with any of these: words that carry no decision."""


def answer(thought: str, action: str) -> str:
    """The response that holds this thought and this action."""
    return f"{THINK} {thought} {END_THINK} {ACTION} {action} {END_ACTION}"


def action_in(response: str) -> str | None:
    """The action of a well-formed response, None for any other.

    >>> action_in("<think> so go </think> <action> go desk </action>")
    'go desk'
    >>> action_in("so <think> go </think> <action> go desk </action>") is None
    True
    """
    words = response.split()
    marks = [word for word in words if word in MARKS]
    if marks != list(MARKS) or words[0] != THINK or words[-1] != END_ACTION:
        return None
    if words.index(ACTION) != words.index(END_THINK) + 1:
        return None
    return " ".join(words[words.index(ACTION) + 1 : -1])

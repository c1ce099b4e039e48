"""Rollouts as text, side by side: cut to what can be read, the whole on demand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from dash import html

from collapse_lab.report import words
from collapse_lab.report.samples import Sample

AT_FIRST, MOST_CHARACTERS, MOST_BLOCKS, MOST_TEXTS = 700, 20_000, 60, 4
WHEN = {
    "before": "Before the change",
    "at": "Up to the alarm",
    "after": "After the alarm",
    "first": "The first",
    "last": "The last",
}
Block = tuple[str, str]


def columns(samples: Sequence[tuple[str, Sample]]) -> Any:
    """One column for each time, or a sentence when there is nothing to show."""
    if not samples:
        return html.P(
            "This run keeps no rollouts: RunWriter.sample(step, texts) records a few of a step, "
            "and then what the policy says before and after an alarm stands here.",
            className="muted",
        )
    return html.Div([_column(when, sample) for when, sample in samples], className="rollouts")


def _column(when: str, sample: Sample) -> Any:
    return html.Div(
        [
            html.H3([WHEN[when], html.Span(f"step {sample.step:,}", className="count")]),
            *(_rollout(text) for text in sample.texts[:MOST_TEXTS]),
        ],
        className=f"rollout-column {when}",
    )


def _rollout(text: Any) -> Any:
    short, blocks = words.texts(text, MOST_CHARACTERS, MOST_BLOCKS)
    shown, more = cut(blocks)
    hidden = sum(len(block) for _, block in more)
    return html.Div(
        [
            html.P(short, className="muted") if short else None,
            *_blocks(shown),
            html.Details([html.Summary(f"Show all, {hidden:,} more characters"), *_blocks(more)])
            if more
            else None,
        ],
        className="rollout",
    )


def _blocks(blocks: Sequence[Block]) -> list[Any]:
    return [
        html.Div(
            [
                html.Div(what.replace(".", " "), className="what") if what else None,
                html.Pre(text, className=what.rpartition(".")[2]),
            ]
        )
        for what, text in blocks
    ]


def cut(blocks: Sequence[Block], most: int = AT_FIRST) -> tuple[list[Block], list[Block]]:
    """Blocks to show at first, about `most` characters of them, and the rest.

    >>> cut([("a", "12345"), ("b", "67890")], 7)
    ([('a', '12345'), ('b', '67 ...')], [('b', '890')])
    """
    shown: list[Block] = []
    room = most
    for at, (what, text) in enumerate(blocks):
        if len(text) > room:
            head = [(what, f"{text[:room]} ...")] if room > 0 else []
            return [*shown, *head], [(what, text[max(room, 0) :]), *blocks[at + 1 :]]
        shown.append((what, text))
        room -= len(text)
    return shown, []

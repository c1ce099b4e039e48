"""Small pieces that pages are made of."""

from __future__ import annotations

from typing import Any

from dash import html

WORDS = {
    "critical": "critical",
    "alarm": "alarm",
    "watch": "watch",
    "quiet": "quiet",
    "unjudged": "not judged",
}
"""Health of a run: the worst severity it has raised, or why there is none."""


class Notice(Exception):
    """What a page says instead of its content: nothing here, or something is wrong."""

    def __init__(self, title: str, *text: Any) -> None:
        self.title, self.text = title, text
        super().__init__(title)


def empty(title: str, *text: Any) -> html.Div:
    """An empty or error state: what is the case, and what to do."""
    return html.Div(
        [html.H2(title), *(html.P(part) if isinstance(part, str) else part for part in text)],
        className="empty",
    )


def badge(kind: str, text: str | None = None) -> html.Span:
    """A coloured word; its shape tells the kind too (assets/app.css)."""
    return html.Span(text or WORDS.get(kind, kind), className=f"badge {kind}")


def fact(name: str, value: Any) -> html.Div:
    """A name and its value, as one line of a list of facts."""
    return html.Div([html.Dt(name), html.Dd(value)], className="fact")


def chips(id: Any, options: dict[str, str], value: str, label: str) -> Any:
    """A row of choices of which one is taken."""
    from dash import dcc

    return html.Div(
        [
            html.Span(label, className="label"),
            dcc.RadioItems(
                id=id,
                options=[{"label": text, "value": key} for key, text in options.items()],
                value=value,
                className="chips",
                inline=True,
            ),
        ],
        className="control",
        role="group",
        **{"aria-label": label},
    )


def ago(seconds: float) -> str:
    """
    >>> ago(12), ago(7500), ago(200000)
    ('12 s', '2 h', '2 d')
    """
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"

"""Small pieces that pages are made of."""

from __future__ import annotations

from typing import Any, Literal

from dash import dcc, html

from collapse_lab.dashboards.summary import HEALTH
from collapse_lab.dashboards.view import View, control, number, remembered


class Notice(Exception):
    """What a page says instead of its content: nothing here, or something is wrong."""

    def __init__(self, title: str, *text: Any) -> None:
        self.title, self.text = title, text
        super().__init__(title)


def waiting() -> html.Div:
    """Stands in a page that is shown again by itself once something has changed."""
    return html.Div(className="waiting", hidden=True)


def empty(title: str, *text: Any) -> html.Div:
    """An empty or error state: what is the case, and what to do."""
    return html.Div(
        [html.H2(title), *(html.P(part) if isinstance(part, str) else part for part in text)],
        className="empty",
    )


def badge(kind: str, text: str | None = None) -> html.Span:
    """A coloured word; its shape tells the kind too (assets/app.css)."""
    return html.Span(text or HEALTH.get(kind, kind), className=f"badge {kind}")


def fact(name: str, value: Any) -> html.Div:
    """A name and its value, as one line of a list of facts."""
    return html.Div([html.Dt(name), html.Dd(value)], className="fact")


def aria(**attributes: str) -> dict[str, Any]:
    """
    >>> aria(label="Pages", live="polite")
    {'aria-label': 'Pages', 'aria-live': 'polite'}
    """
    return {f"aria-{name}": value for name, value in attributes.items()}


def data(**attributes: str) -> dict[str, Any]:
    """
    >>> data(control="q")
    {'data-control': 'q'}
    """
    return {f"data-{name}": value for name, value in attributes.items()}


def chips(name: str, options: dict[str, str], view: View, label: str) -> Any:
    """A row of choices of which one is taken: a control of the view (assets/00-shell.js)."""
    taken = view.get(name, "")
    if taken not in options:
        taken = next(iter(options))
    return html.Div(
        [
            html.Span(label, className="label"),
            html.Div(
                [
                    html.Button(
                        text,
                        className="chip",
                        **data(control=name, value=key),
                        **aria(pressed=str(key == taken).lower()),
                    )
                    for key, text in options.items()
                ],
                className="chips",
                role="group",
                **aria(label=label),
            ),
            remembered(name, view),
        ],
        className="control",
    )


def field(name: str, view: View, placeholder: str, kind: Literal["text", "search"] = "text") -> Any:
    """A text field: a control of the view. What is typed into it reaches the view by
    assets/00-shell.js, which says why not by Dash."""
    return html.Div(
        [
            dcc.Input(
                value=view.get(name, ""),
                type=kind,
                debounce=True,
                placeholder=placeholder,
                autoComplete="off",
            ),
            remembered(name, view),
        ],
        className="field",
        **data(control=name),
    )


def search(name: str, view: View, placeholder: str, label: str) -> Any:
    """A search field that the key "/" goes to: a control of the view."""
    return html.Label(
        [html.Span(label, className="unseen"), field(name, view, placeholder, "search")],
        className="search",
    )


def slider(name: str, view: View, label: str, most: float, step: float) -> Any:
    """A number between 0 and `most`: a control of the view."""
    return html.Label(
        [
            html.Span(label, className="label"),
            dcc.Input(
                id=control(name),
                type="range",
                min=0,
                max=most,
                step=step,
                value=number(view, name, 0.0),
                debounce=0.1,
            ),
        ],
        className="control slider",
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

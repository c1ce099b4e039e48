"""A case as one HTML page that needs nothing but itself: no file beside it, no script, no network.

Whatever the run said goes through `inert` and then `escape`; the page's own policy forbids scripts
and everything from outside as well.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from pathlib import Path

from collapse_lab.figure import draw, draw_lanes, draw_small, extent
from collapse_lab.figure.palette import DARK_STYLE
from collapse_lab.inert import inert
from collapse_lab.records import Alarm, Record
from collapse_lab.report import words
from collapse_lab.report.case import Case
from collapse_lab.signals import SIGNALS

MOST_ALARMS, MOST_EVIDENCE, MOST_LARGE, MOST_SMALL = 60, 24, 10, 150
OTHER = "other"
STYLE = Path(__file__).with_name("page.css")
POLICY = "default-src 'none'; style-src 'unsafe-inline'"


def to_html(case: Case) -> str:
    """The page. Raises nothing for what a log can hold."""
    head = escape(f"{words.verdict(case)}: {words.title(case)}")
    # paper is white, whatever the person who prints prefers
    dark = f"@media screen and (prefers-color-scheme: dark) {{\n{DARK_STYLE}\n}}"
    style = STYLE.read_text(encoding="utf-8") + dark
    sections = (
        _header, _what_happened, _suspicions, _curves, _order, _alarms, _samples, _families,
        _configuration, _environment, _reproduce,
    )  # fmt: skip
    body = "\n".join(part for section in sections for part in section(case))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f"<title>{head}</title>\n"
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<style>\n{style}\n</style>\n</head>\n<body>\n{body}\n"
        f"<footer>{words.SIGNATURE}</footer>\n</body>\n</html>\n"
    )


def _header(case: Case) -> Iterator[str]:
    alarm = case.alarm
    kind = alarm.severity if alarm else "healthy"
    facts = [("framework", case.framework), ("steps", words.steps(case))]
    if alarm:
        low, high = alarm.since_interval
        healthy = alarm.last_healthy_step
        facts = [
            ("alarm", f"step {alarm.step}"),
            ("began", f"step {alarm.since}" + (f" ({low} to {high})" if low != high else "")),
            ("last healthy", "none" if healthy is None else f"step {healthy}"),
            ("detector", alarm.detector),
            *facts,
        ]
    yield f'<header>\n<span class="badge {kind}">{escape(words.verdict(case))}</span>'
    yield f"<h1>{escape(words.title(case))}</h1>"
    yield '<dl class="facts">'
    yield from (f"<div><dt>{name}</dt><dd>{escape(inert(fact))}</dd></div>" for name, fact in facts)
    yield "</dl>\n</header>\n<main>"


def _what_happened(case: Case) -> Iterator[str]:
    yield "<h2>What happened</h2>"
    yield f'<p class="story">{escape(" ".join(words.story(case)))}</p>'
    yield f'<p class="note">{escape(" ".join(words.remarks(case)))}</p>'


def _suspicions(case: Case) -> Iterator[str]:
    if named := words.suspicions(case):
        yield "<h2>What may have gone wrong, and what to try</h2>"
    for name, text, remedies in named:
        yield f"<p><b>{escape(name)}</b>: {escape(text)}</p>\n<ul>"
        yield from (
            f'<li>{escape(remedy.text)} <span class="note">{escape(remedy.source)}</span></li>'
            for remedy in remedies
        )
        yield "</ul>"


def _curves(case: Case) -> Iterator[str]:
    if not (names := case.large[:MOST_LARGE]):
        return
    window = case.window
    yield f'<h2>Curves</h2>\n<p class="note">{escape(words.curves(case))}</p>'
    yield '<div class="wide" tabindex="0" role="img" aria-label="curves around the alarm">'
    yield draw(window, case.alarm, earlier=_within(case, window), names=names, others=_beside(case))
    yield "</div>\n<details><summary>The numbers behind the curves</summary>"
    yield '<div class="wide" tabindex="0">'
    yield _table(("step", *names), _numbers(window, names), "numbers")
    yield "</div></details>"


def _within(case: Case, window: Sequence[Record]) -> list[Alarm]:
    first = min(record.step for record in window)
    return [alarm for alarm in case.earlier if alarm.step >= first]


def _beside(case: Case) -> list[list[Record]]:
    """What other attempts have logged at the steps of the curves."""
    first, last = (step.step for step in (case.window[0], case.window[-1]))
    there = ([one for one in other if first <= one.step <= last] for other in case.others)
    return [records for records in there if records]


def _numbers(window: Sequence[Record], names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """One row a step, the last ones when there are very many; a step that logs nothing is empty."""
    for record in window[-200:]:
        cells = (record.values.get(name) for name in names)
        yield str(record.step), *("" if cell is None else words.number(cell) for cell in cells)


def _order(case: Case) -> Iterator[str]:
    if not (order := case.order[:MOST_EVIDENCE]) or (alarm := case.alarm) is None:
        return
    yield "<h2>Which signals left their band, and in which order</h2>"
    yield f'<div class="wide" tabindex="0">{draw_lanes(order, alarm)}</div>'
    yield '<div class="wide" tabindex="0">'
    yield _table(words.EVIDENCE, words.evidence(order), "evidence", code=True)
    yield "</div>"


def _alarms(case: Case) -> Iterator[str]:
    if not case.alarms:
        return
    yield '<h2>All alarms</h2>\n<div class="wide" tabindex="0">'
    yield _table(words.ALARMS, words.alarms(case.alarms, MOST_ALARMS), "alarms")
    yield "</div>"
    if (more := len(case.alarms) - MOST_ALARMS) > 0:
        yield f'<p class="note">and {more} more.</p>'


def _samples(case: Case) -> Iterator[str]:
    if not case.samples:
        return
    yield '<h2>Samples</h2>\n<div class="samples">'
    for when, sample in case.samples:
        yield f"<div><h3>{when}, step {sample.step}</h3>"
        for text in sample.texts[: words.MOST_TEXTS]:
            short, blocks = words.texts(text)
            yield f'<div class="sample"><p class="note">{escape(short)}</p>'
            yield from (
                f'<div class="what">{escape(what)}</div><pre>{escape(block)}</pre>'
                for what, block in blocks
            )
            yield "</div>"
        yield "</div>"
    yield "</div>"


def _families(case: Case) -> Iterator[str]:
    """Every signal over the whole run, small, by family."""
    names = dict.fromkeys(name for record in case.records for name in record.values)
    ordered = sorted(names, key=lambda name: list(SIGNALS).index(name) if name in SIGNALS else 999)
    families: dict[str, list[str]] = {}
    for name in ordered[:MOST_SMALL]:
        families.setdefault(SIGNALS[name].family if name in SIGNALS else OTHER, []).append(name)
    attempt, others, shown = case.attempt, case.others, case.window
    window = (shown[0].step, shown[-1].step) if case.alarm else None
    shaded = ", the steps of the curves above shaded" if window else ""
    faint = ", other attempts faint" if others else ""
    yield f'<h2>All signals</h2>\n<p class="note">The whole run{shaded}{faint}.</p>'
    for family, members in families.items():
        yield f'<h3>{family}</h3>\n<div class="small">'
        for name in members:
            bounds = " to ".join(dict.fromkeys(map(_short, extent(name, case.records))))
            yield (
                f"<figure><figcaption><b>{escape(inert(name, 60))}</b>"
                f"<span>{bounds or 'not finite'}</span></figcaption>"
            )
            yield draw_small(name, attempt, case.alarm, window, others) + "</figure>"
        yield "</div>"
    if (more := len(ordered) - MOST_SMALL) > 0:
        yield f'<p class="note">and {more} more.</p>'


def _short(value: float) -> str:
    return f"{value:.3g}" if math.isfinite(value) else str(value)


def _configuration(case: Case) -> Iterator[str]:
    if pairs := words.configuration(case):
        yield '<h2>Configuration</h2>\n<p class="note">As it was given; secrets are masked.</p>'
        yield _pairs(pairs, "configuration")


def _environment(case: Case) -> Iterator[str]:
    yield "<h2>Environment</h2>"
    yield _pairs(words.environment(case), "environment")


def _reproduce(case: Case) -> Iterator[str]:
    yield "<h2>How to see it again</h2>"
    yield f'<pre class="commands">{escape(chr(10).join(words.reproduce(case)))}</pre>\n</main>'


def _pairs(pairs: Iterable[tuple[str, str]], title: str) -> str:
    rows = "\n".join(
        f'<tr><td class="mono">{escape(name)}</td><td class="mono">{escape(value)}</td></tr>'
        for name, value in pairs
    )
    return f'<table class="pairs" aria-label="{title}">\n<tbody>\n{rows}\n</tbody>\n</table>'


def _table(
    header: Sequence[str], rows: Iterable[Sequence[str]], title: str, code: bool = False
) -> str:
    """A table of plain text; with `code` the first column is set as code."""
    head = "".join(f'<th scope="col">{escape(inert(cell, 60))}</th>' for cell in header)
    first = '<td class="mono">' if code else "<td>"
    lines = [f"<tr>{first}" + "</td><td>".join(map(escape, row)) + "</td></tr>" for row in rows]
    return (
        f'<table aria-label="{title}">\n<thead><tr>{head}</tr></thead>\n<tbody>\n'
        + "\n".join(lines)
        + "\n</tbody>\n</table>"
    )

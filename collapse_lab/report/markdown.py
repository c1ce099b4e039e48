"""A case as Markdown for an issue or a chat: curves become a line of blocks each.

Whatever the run said stands in code, where nothing is a link, a mention or markup. The whole stays
below what GitHub takes as one comment.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Sequence

from collapse_lab.figure import extent
from collapse_lab.inert import inert
from collapse_lab.records import Record
from collapse_lab.report import words
from collapse_lab.report.case import Case

BLOCKS = "▁▂▃▄▅▆▇█"
BROKEN, MISSING = "\u00d7", " "
WIDTH = 60
MOST_ALARMS, MOST_EVIDENCE, MOST_CURVES, MOST_SETTINGS, MOST_TEXT = 20, 16, 12, 80, 500
LONGEST = 60_000
_MARKUP = re.compile(r"([\\`*{}\[\]<>#|~@]|(?<!\w)_|_(?!\w))")


def to_markdown(case: Case) -> str:
    """At most about LONGEST characters; what is too much is left off at the end."""
    sections = (
        _head, _suspicions, _curves, _evidence, _alarms, _reproduce, _environment, _configuration,
        _samples,
    )  # fmt: skip
    end = f"\n{words.SIGNATURE}\n"
    text = ""
    for section in sections:
        if (part := "\n".join(section(case))) and len(text) + len(part) < LONGEST:
            text += f"{part}\n\n"
    return text + end.lstrip()


def _head(case: Case) -> Iterator[str]:
    yield f"# {words.verdict(case)}: {prose(words.title(case))}\n"
    yield prose(" ".join(words.story(case)))
    yield f"\n{prose(' '.join((f'Steps: {words.steps(case)}.', *words.remarks(case))))}"


def _suspicions(case: Case) -> Iterator[str]:
    if named := words.suspicions(case):
        yield "## What may have gone wrong, and what to try\n"
    for name, text, remedies in named:
        yield f"**{prose(name)}**: {prose(text)}\n"
        yield from (f"- {prose(remedy.text)} ({prose(remedy.source)})" for remedy in remedies)
        yield ""


def _curves(case: Case) -> Iterator[str]:
    if not (names := case.large[:MOST_CURVES]):
        return
    window = case.window
    first, last = window[0].step, window[-1].step
    yield f"## Curves, step {first} to {last}\n"
    yield f"{words.curves(case)} `{BROKEN}` is NaN or infinity.\n"
    rows = [
        (code(inert(name)), code(line(name, window)), *map(words.number, extent(name, window)))
        for name in names
    ]
    yield _table(("signal", f"step {first} to {last}", "lowest", "highest"), rows)


def _evidence(case: Case) -> Iterator[str]:
    if order := case.order[:MOST_EVIDENCE]:
        yield "## Which signals left their band, the first one first\n"
        rows = [(code(name), *rest) for name, *rest in words.evidence(order)]
        yield _table(words.EVIDENCE, rows)


def _alarms(case: Case) -> Iterator[str]:
    if not case.alarms:
        return
    yield "## All alarms\n"
    rows = words.alarms(case.alarms, MOST_ALARMS)
    yield _table(words.ALARMS, [(*facts, prose(message)) for *facts, message in rows])
    if (more := len(case.alarms) - MOST_ALARMS) > 0:
        yield f"\nand {more} more."


def _reproduce(case: Case) -> Iterator[str]:
    yield f"## How to see it again\n\n{fenced(chr(10).join(words.reproduce(case)))}"


def _environment(case: Case) -> Iterator[str]:
    yield f"## Environment\n\n{_pairs(words.environment(case))}"


def _configuration(case: Case) -> Iterator[str]:
    if pairs := words.configuration(case):
        yield f"## Configuration\n\nSecrets are masked.\n\n{_pairs(pairs)}"


def _samples(case: Case) -> Iterator[str]:
    if case.samples:
        yield "## Samples"
    for when, sample in case.samples:
        yield f"\n### {when}, step {sample.step}"
        for text in sample.texts[:1]:
            short, blocks = words.texts(text)
            shown = [
                short,
                *(f"[{what}] {inert(block, MOST_TEXT, lines=True)}" for what, block in blocks),
            ]
            yield f"\n{fenced(chr(10).join(shown))}"


def line(name: str, records: Sequence[Record]) -> str:
    """The signal as at most WIDTH blocks; of the records of one block the one furthest from the
    middle of the range, NaN and infinity before all.

    >>> line("a", [Record(1, values={"a": 0.0}), Record(2), Record(3, values={"a": 7.0})])
    '▁ █'
    """
    low, high = extent(name, records) or (0.0, 0.0)
    size = max(1, math.ceil(len(records) / WIDTH))
    return "".join(
        _block([r.values[name] for r in records[at : at + size] if name in r.values], low, high)
        for at in range(0, len(records), size)
    )


def _block(values: list[float], low: float, high: float) -> str:
    if not values:
        return MISSING
    if not all(map(math.isfinite, values)):
        return BROKEN
    value = max(values, key=lambda value: abs(value - (low + high) / 2))
    share = (value - low) / (high - low) if high > low else 0.5
    return BLOCKS[min(int(share * len(BLOCKS)), len(BLOCKS) - 1)]


def code(text: str) -> str:
    """Text as code within a line or a table.

    >>> code("a`b|c")
    '`` a`b\\\\|c ``'
    """
    text = text.replace("|", "\\|")
    if "`" not in text:
        return f"`{text}`"
    ticks = "`" * (1 + max(len(run) for run in re.findall("`+", text)))
    return f"{ticks} {text} {ticks}"


def prose(text: str) -> str:
    """Text within a sentence: what Markdown or GitHub would read into it is escaped."""
    return _MARKUP.sub(r"\\\1", text).replace("://", ":\u200b//")


def fenced(text: str) -> str:
    """Lines as a code block, its fence longer than any within."""
    ticks = "`" * max(3, 1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{ticks}text\n{text}\n{ticks}"


def _pairs(pairs: Sequence[tuple[str, str]]) -> str:
    rows = [f"{name}: {value}" for name, value in pairs[:MOST_SETTINGS]]
    more = [f"and {len(pairs) - MOST_SETTINGS} more"] if len(pairs) > MOST_SETTINGS else []
    return fenced("\n".join(rows + more))


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)

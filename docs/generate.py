"""Writes the pages of docs/ that are tables of the code, and the README's picture.

Run it (`make docs`) after changing a table; `tests/test_docs.py` fails while a page and the code
differ.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from collapse_lab import demo
from collapse_lab.cli import main
from collapse_lab.configured import suspects
from collapse_lab.detectors import clues, naming
from collapse_lab.detectors.panel import DETECTORS, SCORED
from collapse_lab.mechanisms import MECHANISMS
from collapse_lab.readers import FILE_FORMATS, LINE_FORMATS
from collapse_lab.readers.aliases import ALIASES
from collapse_lab.signals import SIGNALS

DOCS = Path(__file__).parent
UNWRAPPED = "\b\n"
BAD = {"up": "rising", "down": "falling", "both": "either way", "none": "not judged"}


def signals_page() -> str:
    """One table a family."""
    families = dict.fromkeys(signal.family for signal in SIGNALS.values())
    parts = [
        "# Signals",
        "The vocabulary of `collapse_lab/signals.py`. Readers translate each framework's keys into "
        "these names ([formats.md](formats.md)); a key in no table keeps its own name and is "
        "listed as unmapped.",
        "*Scale* is the one on which healthy variation is about even. *Bad* is the direction that "
        "detectors watch. A signal that *may be constant* can be held at one value by the way a "
        "run is set up (the clip fraction of a run that is always on policy): then it is reported "
        "as unavailable, not as healthy.",
    ]
    for family in families:
        rows = [
            (
                f"`{signal.name}`",
                signal.meaning,
                signal.pair,
                signal.unit,
                signal.transform,
                BAD[signal.bad],
                "yes" if signal.constant else "",
            )
            for signal in SIGNALS.values()
            if signal.family == family
        ]
        header = ("signal", "meaning", "compares", "unit", "scale", "bad", "may be constant")
        parts += [f"## {family.capitalize()}", _table(header, rows)]
    return _page(parts)


def formats_page() -> str:
    """The log formats, then every framework's keys."""
    formats = {**LINE_FORMATS, **FILE_FORMATS}
    rows = [
        (
            f"`{name}`",
            form.framework or "told by its keys",
            _first_line(sys.modules[form.__module__]),
            "yes" if "config" in vars(form) else "",
        )
        for name, form in formats.items()
    ]
    parts = [
        "# Formats and frameworks",
        "`watch`, `replay` and `label` find the format of a log by looking at it; no option names "
        "it. Every format is read live (the file may grow, rotate, be cut short or start again) "
        "and finished.",
        "The *configuration* that a format states names what may have gone wrong "
        "([mechanisms.md](mechanisms.md)), as that of a run folder does.",
        _table(("format", "framework", "what it is", "configuration"), rows),
        "## Names",
        "Which key of a framework is read as which signal; where two keys of one log mean the same "
        "signal, the upper one is taken. `*` stands for any part of a key.",
    ]
    for framework, table in ALIASES.items():
        if framework != "collapse-lab":
            keys = [(f"`{key}`", f"`{name}`") for key, name in table.items()]
            parts += [f"### {framework}", _table(("key", "signal"), keys)]
    return _page(parts)


def cli_page() -> str:
    """Every command with its arguments and options."""
    parts = ["# Command line"]
    for path, command in _commands(main, ("collapse-lab",)):
        if not isinstance(command, click.Group):
            parts += [f"## {' '.join(path)}", _help(command)]
            options = [
                (f"`{', '.join(option.opts)}`", _argument(option), option.help or "")
                for option in command.params
                if isinstance(option, click.Option) and not option.hidden
            ]
            usage = " ".join([*path, *command.collect_usage_pieces(click.Context(command))])
            parts += [f"```\n{usage}\n```"]
            parts += [_table(("option", "value", "meaning"), options)] if options else []
    return _page(parts)


def detectors_page() -> str:
    """Every detector of the panel, in its own words."""
    parts = [
        "# Detectors",
        "What the panel of `collapse_lab/detectors/` is made of. What the alarm tier promises, its "
        "assumption and the constants are in [detection.md](detection.md).",
    ]
    kinds = {**DETECTORS, **{kind.name: kind for kind in SCORED}}
    modules = dict.fromkeys(kind.__module__ for kind in kinds.values())
    for module in modules:
        title, _, more = (inspect.getdoc(sys.modules[module]) or "").partition("\n\n")
        parts += [f"## {title.removesuffix('.')}", *([more] if more else [])]
        for name, kind in kinds.items():
            if kind.__module__ == module:
                parts += [f"### {name}", inspect.getdoc(kind) or ""]
    return _page(parts)


def mechanisms_page() -> str:
    """What each mechanism is, what it is told by, and what to try."""
    parts = [
        "# Mechanisms",
        "How training goes wrong, as far as the numbers of a run can tell it. An alarm names up to "
        f"{naming.MOST} of these, the likeliest first, and why: on the command line, in alerts, "
        "in reports and in the app. Often it is none of them, or more than one: a name is where to "
        "look first. How often it is the right one: [detection.md](detection.md#which-mechanism).",
        inspect.cleandoc((naming.__doc__ or "").partition("\n\n")[2]),
    ]
    for key, known in MECHANISMS.items():
        rule = " ".join((inspect.getdoc(clues.RULES[key]) or "").split())
        tries = "\n".join(f"- {remedy.text} ({remedy.source})" for remedy in known.remedies)
        parts += [f"## {known.name.capitalize()}", f"`{key}`. {known.meaning}"]
        parts += [f"Told by: {rule}", *_configured(key), f"What to try:\n\n{tries}"]
    return _page(parts)


def _configured(key: str) -> Iterator[str]:
    """What a run's configuration says of a mechanism."""
    for told, table in (("Made possible", suspects.POSSIBLE), ("Ruled out", suspects.RULED_OUT)):
        if key in table:
            why = " ".join((inspect.getdoc(table[key]) or "").split())
            yield f"{told} by the configuration: {why}"


PAGES: dict[str, Callable[[], str]] = {
    "signals.md": signals_page,
    "formats.md": formats_page,
    "detectors.md": detectors_page,
    "mechanisms.md": mechanisms_page,
    "cli.md": cli_page,
}


def _first_line(thing: object) -> str:
    return (inspect.getdoc(thing) or "").splitlines()[0]


def _commands(
    command: click.Command, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, command
    if isinstance(command, click.Group):
        for name in sorted(command.commands):
            yield from _commands(command.commands[name], (*path, name))


def _help(command: click.Command) -> str:
    """The help text; what click is told not to wrap becomes a code block."""
    paragraphs = inspect.cleandoc(command.help or "").split("\n\n")
    return "\n\n".join(
        f"```sh\n{inspect.cleandoc(text.removeprefix(UNWRAPPED))}\n```"
        if text.startswith(UNWRAPPED)
        else text
        for text in paragraphs
    )


def _argument(option: click.Option) -> str:
    if option.is_flag:
        return ""
    if isinstance(option.type, click.Choice):
        return " or ".join(f"`{choice}`" for choice in option.type.choices)
    return option.metavar or option.type.name


def _table(header: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [header, tuple("---" for _ in header), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |"
        for line in lines
    )


def _page(parts: list[str]) -> str:
    note = "<!-- written by docs/generate.py (make docs): change the code, not this page -->"
    return "\n\n".join([parts[0], note, *parts[1:]]) + "\n"


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page())
        print(f"docs/{name}")
    (DOCS / "images").mkdir(exist_ok=True)
    demo.run(True, DOCS / "images" / "collapse.svg", echo=lambda _: None)

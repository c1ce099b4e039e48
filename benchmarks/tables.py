"""The tables of `real_logs`: pure functions from judged logs to Markdown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

from benchmarks.corpus import HEALTHY, LabelledLog
from benchmarks.judge import OURS, Judgement
from collapse_lab import scoring
from collapse_lab.scoring import ScoredRun
from collapse_lab.scoring.markdown import percent, plain, share, table_of

FAMILIES = ("llm", "control")
LEFT_OUT = (", critical", "with waste notices", "on our residuals")
"""Endings of the rows of others that only the long table shows."""
LATE = 10
"""Points after the collapse up to which a flag is still counted in its own column."""


def scored(
    row: str,
    logs: Sequence[LabelledLog],
    judgements: Sequence[Judgement],
    family: str | None,
    place: Literal["collapse", "onset"] = "collapse",
) -> list[ScoredRun]:
    """The healthy runs, and the collapsed ones for which that place is known."""
    return [
        ScoredRun([r.step for r in log.records], judgement.alarms[row], getattr(log, place))
        for log, judgement in zip(logs, judgements, strict=True)
        if family in (None, log.family) and (log.healthy or getattr(log, place) is not None)
    ]


def short(
    names: Iterable[str], logs: Sequence[LabelledLog], judgements: Sequence[Judgement]
) -> str:
    """The README's tables: one a family, one line a detector."""
    header = [
        "healthy runs alarmed",
        "collapses flagged in time",
        "by luck",
        f"by {LATE} records later",
        "before the fall began",
        "median lead",
    ]
    parts: list[str] = []
    for title, family in (("LLM runs", "llm"), ("Classic control runs", "control")):
        lines: list[list[str]] = []
        for name in names:
            if name.endswith(LEFT_OUT) and name not in OURS:
                continue
            runs = scored(name, logs, judgements, family)
            falls = scored(name, logs, judgements, family, "onset")
            lines.append(
                [
                    f"**{name}**" if name in OURS else name,
                    share(scoring.healthy_false_alarm(runs)),
                    share(scoring.recall(runs)),
                    percent(scoring.recall_by_luck(runs)),
                    share(scoring.recall(runs, lead=-LATE)),
                    share(scoring.recall(falls, lead=1)),
                    plain(scoring.median_early_lead(runs)),
                ]
            )
        some = [log for log in logs if log.family == family]
        collapsed = [log for log in some if log.collapse is not None]
        counts = f"{_counted('healthy', [log for log in some if log.healthy])}, "
        counts += _counted("collapsed", collapsed)
        parts.append(f"{title}: {counts}.\n\n" + table_of([title, *header], lines))
    return "\n\n".join((*parts, FOOTNOTE))


FOOTNOTE = (
    "Each detector at its defaults; Wilson 95 % intervals in brackets. Healthy is HEALTHY or FLAT "
    "(no gain above noise). *In time*: first alarm at or before the collapse point, where a "
    "smoothed reward has lost half, so that a detector that waits for the reward can be in time "
    "too. *Before the fall began*: earlier than the onset that `collapse_lab.labels` sees in "
    "hindsight; only leading evidence can. *By luck*: the share of healthy runs that had alarmed "
    "by the collapse points. *Median lead*: records from the first alarm to the collapse, where "
    "flagged in time. Our population prior was fitted without the repository being judged. Runs "
    "of one repository share a stack, so the truth is less certain than the intervals. Every "
    "score, the others' critical findings alone, the runs in between and each failure: "
    "[docs/real-logs.md](docs/real-logs.md)."
)


def _counted(kind: str, logs: Sequence[LabelledLog]) -> str:
    repositories = len({log.repository for log in logs})
    return f"{len(logs)} {kind} of {repositories} " + (
        "repository" if repositories == 1 else "repositories"
    )


def long(names: Sequence[str], logs: Sequence[LabelledLog], judgements: Sequence[Judgement]) -> str:
    """One table a family and one for both, with every score."""
    header = [
        "detector",
        "healthy alarmed",
        "true share below (95 %)",
        "alarms per 1,000 healthy records",
        "flagged by the collapse",
        "by luck",
        f"by {LATE} records later",
        "before the fall began",
        "by luck",
        "premature",
        "median lead, early ones (records)",
        "(steps)",
        "mean lead, misses as 0 (records)",
        "compute saved",
    ]
    parts: list[str] = []
    for title, family in (("LLM", "llm"), ("Control", "control"), ("Together", None)):
        lines: list[list[str]] = []
        for name in names:
            runs = scored(name, logs, judgements, family)
            falls = scored(name, logs, judgements, family, "onset")
            healthy = scoring.healthy_false_alarm(runs)
            lines.append(
                [
                    name,
                    share(healthy),
                    percent(healthy.upper()),
                    plain(scoring.false_alarms_per_thousand(runs)),
                    share(scoring.recall(runs)),
                    percent(scoring.recall_by_luck(runs)),
                    share(scoring.recall(runs, lead=-LATE)),
                    share(scoring.recall(falls, lead=1)),
                    percent(scoring.recall_by_luck(falls, lead=1)),
                    share(scoring.premature(runs)),
                    plain(scoring.median_early_lead(runs)),
                    plain(scoring.median_early_lead(runs, "steps")),
                    plain(scoring.expected_lead(runs)),
                    percent(scoring.compute_saved(runs)),
                ]
            )
        parts.append(f"### {title}\n\n" + table_of(header, lines))
    return "\n\n".join(parts)


def in_between(
    names: Sequence[str], logs: Sequence[LabelledLog], judgements: Sequence[Judgement]
) -> str:
    """Logs of each other verdict with any alarm; they are neither hits nor errors."""
    verdicts = sorted({log.verdict for log in logs} - {*HEALTHY, "COLLAPSED"})
    counts = Counter(log.verdict for log in logs)
    header = ["detector", *verdicts]
    lines: list[list[str]] = []
    for name in names:
        line = [name]
        for verdict in verdicts:
            hits = sum(
                bool(judgement.alarms[name])
                for log, judgement in zip(logs, judgements, strict=True)
                if log.verdict == verdict
            )
            line.append(f"{hits} of {counts[verdict]}")
        lines.append(line)
    return (
        "Logs with any alarm. These verdicts are borderline: automatic labels that are "
        "neither a collapse nor health, and a recovered dip is the hard negative.\n\n"
        + table_of(header, lines)
    )


def each(logs: Sequence[LabelledLog], judgements: Sequence[Judgement]) -> str:
    """Every healthy log that the alarm tier spoke on, and every collapse with its first alarm."""
    false: list[list[str]] = []
    collapses: list[list[str]] = []
    for log, judgement in zip(logs, judgements, strict=True):
        loud = next((one for one in judgement.raised if one.severity != "watch"), None)
        what = ["never", "", "", ""]
        if loud:
            signals = ", ".join(f"`{name}`" for name in loud.signals[:4])
            what = [str(loud.point), loud.severity, loud.detector, signals]
        if log.healthy and loud:
            false.append([f"`{log.file}`", log.verdict, str(len(log.records)), *what])
        elif log.collapse is not None:
            onset = "-" if log.onset is None else str(log.onset)
            places = [onset, str(log.collapse), str(len(log.records))]
            collapses.append([f"`{log.file}`", *places, *what])
    first = ["first alarm at", "severity", "detector", "signals"]
    return (
        "The alarm tier only; places are records of the log.\n\n### Alarms on healthy runs\n\n"
        + table_of(["log", "verdict", "records", *first], false, numbers=False)
        + "\n\n### Collapses\n\n"
        + table_of(
            ["log", "fall begins", "collapse at", "records", *first], collapses, numbers=False
        )
    )


def preface(logs: Sequence[LabelledLog]) -> str:
    """What was judged, how, and what could not be."""
    usable = [log for log in logs if not log.problem]
    verdicts = Counter((log.family, log.verdict) for log in usable)
    lines = [
        [verdict, *(str(verdicts[family, verdict]) for family in FAMILIES)]
        for verdict in sorted({log.verdict for log in usable})
    ]
    left_out = [f"- `{log.file}`: {log.problem}" for log in logs if log.problem]
    return "\n\n".join(
        (
            "# Detectors on real logs",
            f"Written by `python -m benchmarks.real_logs` on {time.strftime('%Y-%m-%d')}. "
            f"{len(usable)} of {len(logs)} logs of {len({log.repository for log in logs})} public "
            "repositories; labels are automatic (`data/README.md`). Detectors run at their "
            "defaults, causally, record by record; what each peer was given is said in "
            "`benchmarks/peers.py`. The population prior of collapse-lab is fitted anew for each "
            "repository, on the healthy logs of all others. Points are records of the log.",
            table_of(["verdict", "llm", "control"], lines),
            "Not judged:\n\n" + ("\n".join(left_out) or "none"),
        )
    )


def label_agreement(logs: Sequence[LabelledLog]) -> str:
    """The index's verdicts against those of `collapse_lab.labels`: labels err too."""
    kinds = sorted({log.kind for log in logs})
    counts = Counter((log.verdict, log.kind) for log in logs)
    lines = [
        [verdict, *(str(counts[verdict, kind] or "") for kind in kinds)]
        for verdict in sorted({log.verdict for log in logs})
    ]
    return (
        "Rows are the verdicts of the index, on which the tables rest; columns are what "
        "`collapse_lab.labels` says of the same logs.\n\n" + table_of(["verdict", *kinds], lines)
    )

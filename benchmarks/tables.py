"""The tables of `real_logs`: pure functions from judged logs to Markdown."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence

from benchmarks.corpus import HEALTHY, LabelledLog
from benchmarks.judge import OURS, Judgement
from benchmarks.markdown import percent, plain, share, table_of
from collapse_lab import scoring
from collapse_lab.scoring import ScoredRun

WATCH, ALARM, _ = OURS
FAMILIES = ("llm", "control")
LEFT_OUT = ("with waste notices", "on our residuals")
"""Endings of the rows that only the long table shows."""
LATE = 10
"""Points after the collapse up to which a flag is still counted in its own column."""


def scored(
    row: str, logs: Sequence[LabelledLog], judgements: Sequence[Judgement], family: str | None
) -> list[ScoredRun]:
    """The healthy runs, and the collapsed ones whose collapse point is known."""
    return [
        ScoredRun([r.step for r in log.records], judgement.alarms[row], log.collapse)
        for log, judgement in zip(logs, judgements, strict=True)
        if family in (None, log.family)
        and (log.healthy or (log.verdict == "COLLAPSED" and log.collapse is not None))
    ]


def short(
    names: Iterable[str], logs: Sequence[LabelledLog], judgements: Sequence[Judgement]
) -> str:
    """The README's table: both families, one line a detector."""
    header = ["detector, at its defaults"]
    for title in ("LLM runs", "control runs"):
        header += [
            f"{title}: healthy ones alarmed",
            "collapses flagged in time",
            "by luck",
            f"by {LATE} records later",
        ]
    header.append("median lead")
    lines: list[list[str]] = []
    for name in names:
        if name.endswith(LEFT_OUT):
            continue
        line = [f"**{name}**" if name in OURS else name]
        for family in FAMILIES:
            runs = scored(name, logs, judgements, family)
            line += [
                share(scoring.healthy_false_alarm(runs)),
                share(scoring.recall(runs)),
                percent(scoring.recall_by_luck(runs)),
                share(scoring.recall(runs, lead=-LATE)),
            ]
        both = scored(name, logs, judgements, None)
        lines.append([*line, plain(scoring.median_early_lead(both))])
    return table_of(header, lines) + "\n\n" + _footnote(logs)


def _footnote(logs: Sequence[LabelledLog]) -> str:
    judged = [log for log in logs if log.healthy or log.collapse is not None]
    counts = "; ".join(
        f"{family}: {len(some)} {kind} runs of {len({log.repository for log in some})} repositories"
        for family in FAMILIES
        for kind, some in (
            ("healthy", [log for log in judged if log.healthy and log.family == family]),
            ("collapsed", [log for log in judged if not log.healthy and log.family == family]),
        )
    )
    return (
        f"Real runs of other people ({counts}), Wilson 95 % intervals in brackets. Healthy is "
        "HEALTHY or FLAT (no gain above noise). *In time*: first alarm at or before the collapse "
        "point. *By luck*: the share of healthy runs that had alarmed by the same points. *Median "
        "lead*: records from the first alarm to the collapse, where flagged in time. Our "
        "population prior was fitted without the repository being judged; runs of one repository "
        "share a stack, so intervals over them are narrower than the truth. Every score, the runs "
        "in between and each failure: [docs/real-logs.md](docs/real-logs.md)."
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


def failures(logs: Sequence[LabelledLog], judgements: Sequence[Judgement]) -> str:
    """Each healthy log that the alarm tier spoke on, and each collapse it did not flag in time."""
    header = ["log", "verdict", "what", "detector", "signals"]
    lines: list[list[str]] = []
    for log, judgement in zip(logs, judgements, strict=True):
        loud = next((one for one in judgement.raised if one.severity != "watch"), None)
        if log.healthy and loud:
            what = f"{loud.severity} at record {loud.point} of {len(log.records)}"
        elif log.collapse is not None and (loud is None or loud.point > log.collapse):
            when = f"first at {loud.point}" if loud else "never alarmed"
            what = f"collapse at record {log.collapse} of {len(log.records)}, {when}"
        else:
            continue
        signals = ", ".join(f"`{name}`" for name in loud.signals[:4]) if loud else ""
        lines.append([f"`{log.file}`", log.verdict, what, loud.detector if loud else "", signals])
    return table_of(header, lines, numbers=False)


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

"""The tables of docs/detection.md: pure functions from judged runs to Markdown."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from collapse_lab import scoring
from collapse_lab.corpus import FACTS, UNKNOWN, CorpusRun, LeftOut
from collapse_lab.detectors.frontend import WARMUP_STEPS
from collapse_lab.scorecard import (
    ALARM,
    LATE,
    LATER,
    RECORD_NUMBER,
    TIERS,
    JudgedRun,
    Ranked,
    Scores,
    compare,
    compared_tables,
    counts,
    foretell,
    foretold_tables,
    held_out,
    late_minus_now,
    rank,
    references,
    rules,
    scored,
    scores,
    tables,
    volumes,
)
from collapse_lab.scoring import Share
from collapse_lab.scoring.markdown import percent, share, table_of

ALPHA = 0.05
LEARNED = ("hazard",)
"""Detectors that were trained on runs of `data/`, so that their rows here flatter them."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A run, and what the shipped detectors said of it. `unseen` says that what was learned from
    runs of `data/` was not learned from this one."""

    run: CorpusRun
    found: JudgedRun
    unseen: bool = False


def blocks(judged: Sequence[Judged]) -> dict[str, str]:
    """Name of a mark in the page -> what stands there."""
    runs = [one.found for one in judged]
    rows = {name: scores(runs, rule) for name, rule in rules().items()}
    chance = {name: scores(runs, rule, deals=1) for name, rule in references().items()}
    ranked = rank(runs)
    telling = [fact for fact in FACTS if len({run.facts[fact] for run in runs}) > 1]
    return {
        "operating-points": operating_points(rows, chance, runs),
        "by-fact": "\n\n".join(by_fact(runs, fact) for fact in telling),
        "leave-one-out": left_out(runs, [fact for fact in telling if fact != "setting"]),
        "ranks": f"{_marked(tables.ranks(ranked))}\n\n{tables.RANKS_ARE}",
        "chances": chances(judged),
        "comparison": comparison(runs),
        "cannot": cannot(runs, rows, ranked),
    }


def corpus(judged: Sequence[Judged], left_out: Sequence[LeftOut], origin: str) -> str:
    """What was judged, and what could not be."""
    runs = [one.found for one in judged]
    kinds = Counter(run.kind for run in runs).most_common()
    lines = [
        [framework, task, str(len(some)), *(str(_count(some, kind) or "") for kind, _ in kinds)]
        for (framework, task), some in _by(runs, "framework", "task")
    ]
    header = ["framework", "task", "runs", *(kind for kind, _ in kinds)]
    groups = len({run.group for run in runs})
    parts = [f"{origin} {tables.kinds(dict(kinds), groups)}", table_of(header, lines)]
    if left_out:
        parts.append("\n".join(f"- left out: `{one.name}`: {one.reason}" for one in left_out))
    return "\n\n".join(parts)


def operating_points(
    rows: Mapping[str, Scores], chance: Mapping[str, Scores], runs: Sequence[JudgedRun]
) -> str:
    """Each tier and the rows that know nothing: alarms, leads, worth, and ten records late."""
    late = late_minus_now(runs, rules()[ALARM])
    return "\n\n".join(
        (
            f"{tables.CHANCE_IS}\n\n{tables.operating_points({**rows, **chance})}",
            f"{tables.LEADS_ARE}\n\n{tables.leads(rows)}",
            f"{tables.WORTH_IS}\n\n{tables.worth({**rows, **chance})}",
            "The alarm tier, paired bootstrap over groups, 95 %:\n\n"
            + tables.difference("- ten records late minus now", late),
        )
    )


def left_out(runs: Sequence[JudgedRun], facts: Iterable[str]) -> str:
    """A table a fact, and one in time."""
    found = [_marked(tables.held_out(held_out(runs, fact, ALPHA))) for fact in (*facts, LATER)]
    return "\n\n".join((*found[:-1], tables.LATER_IS, found[-1]))


def by_fact(runs: Sequence[JudgedRun], fact: str) -> str:
    """A line a value of the fact, three counts a tier."""
    lines: list[list[str]] = []
    for (value,), some in _by(runs, fact):
        line = [value, str(len(some))]
        for rule in rules().values():
            found = [scored(run, rule) for run in some if counts(run)]
            parts = (
                scoring.healthy_false_alarm(found),
                scoring.early_recall(found),
                scoring.late_recall(found, LATE),
            )
            line.append(", ".join(_hits(part) for part in parts))
        lines.append(line)
    return table_of([fact, "runs", *TIERS], lines, numbers=False)


def chances(judged: Sequence[Judged]) -> str:
    """How true the stated chances are, on runs that the model may know and on those that it cannot
    know."""
    parts = [foretold_tables.CHANCES_ARE]
    for unseen, words in ((True, "kept from"), (False, "that may have been used for")):
        runs = [one.found for one in judged if one.unseen == unseen and counts(one.found)]
        collapsed = sum(run.onset is not None for run in runs)
        parts += [
            f"Runs {words} the fit of the model, {len(runs)} with {collapsed} collapses:",
            foretold_tables.foretold(foretell(runs)),
        ]
    return "\n\n".join(parts)


def comparison(runs: Sequence[JudgedRun]) -> str:
    """What other fields report, of each tier, the rows that know nothing and every score."""
    rows = {name: compare(runs, rule) for name, rule in (rules() | references()).items()}
    table = _marked(compared_tables.compared(rows, volumes(runs)))
    return f"{compared_tables.COMPARED_ARE}\n\n{table}"


def cannot(runs: Sequence[JudgedRun], rows: Mapping[str, Scores], ranked: Iterable[Ranked]) -> str:
    """The limits of the alarm tier in numbers."""
    tier = rows[ALARM]
    collapsed = [run for run in runs if run.onset is not None]
    blind = sum(_unjudged(run) for run in collapsed)
    silent = Share(sum(not run.alarms(ALARM) for run in collapsed), len(collapsed))
    never_late = [
        f"{value} ({len(some)})"
        for (value,), some in _by(collapsed, "failure")
        if not scoring.late_recall([scored(run, rules()[ALARM]) for run in some], LATE).hits
    ]
    passed_over = (*LEARNED, RECORD_NUMBER)
    soon = [one for one in ranked if one.horizon == 10 and one.detector not in passed_over]
    best = max(soon, key=lambda one: one.roc_at_same_record, default=None)
    lines = [
        f"- Of {len(collapsed)} collapses the alarm tier foresees {share(tier.early)}; by "
        f"{LATE} records after the onset it has alarmed on {share(tier.late)}, and never on "
        f"{share(silent)}. Without the detector that waits for the reward it foresees "
        f"{share(rows[f'{ALARM}, reward aside'].early)}.",
        f"- {blind} of the {len(collapsed)} onsets come in the first {WARMUP_STEPS} steps, while "
        "no signal is judged yet: these cannot be foreseen by anything that learns the run's "
        "course from the run.",
        f"- It alarms on {share(tier.healthy_alarmed)} of the healthy runs, dips that recover "
        f"({share(tier.dips_alarmed)}) included; with 95 % confidence the true share is below "
        f"{percent(tier.healthy_alarmed.upper())}."
        + (
            f" Of runs that never learned it alarms on {share(tier.never_learned_alarmed)}."
            if tier.never_learned_alarmed.of
            else ""
        ),
    ]
    if never_late:
        lines.append(
            f"- Failures of which it caught none by {LATE} records after the onset (collapses): "
            f"{', '.join(never_late)}."
        )
    if best:
        lines.append(
            f"- Of the scores, that of {best.detector} ranks the ten records before an onset best "
            f"among others as far into their runs: AUROC {best.roc_at_same_record:.2f} "
            "[{:.2f}, {:.2f}], where a coin has 0.5.".format(*best.roc_at_same_record_interval)
        )
    return "\n".join(lines)


def _unjudged(run: JudgedRun) -> bool:
    return run.onset is not None and run.steps[run.onset] - run.steps[0] < WARMUP_STEPS


def stated(run: JudgedRun, fact: str) -> str:
    """The value of a fact, in words where nothing was set up or stated."""
    value = run.facts[fact]
    if fact == "failure" and value == run.kind:
        return "none set up"
    return "not stated" if value == UNKNOWN else value


def _by(runs: Iterable[JudgedRun], *facts: str) -> list[tuple[tuple[str, ...], list[JudgedRun]]]:
    """Values of the facts, and the runs that have them, in the order of the values."""
    found: dict[tuple[str, ...], list[JudgedRun]] = {}
    for run in runs:
        found.setdefault(tuple(stated(run, fact) for fact in facts), []).append(run)
    return sorted(found.items())


def _marked(table: str) -> str:
    """The table, with rows of what has been trained on these runs marked as such."""
    for name in LEARNED:
        table = re.sub(
            rf"^\| (all: )?({name}[^|]*) \|", r"| \1\2 (trained on these) |", table, flags=re.M
        )
    return table


def _count(runs: Iterable[JudgedRun], kind: str) -> int:
    return sum(run.kind == kind for run in runs)


def _hits(part: Share) -> str:
    return f"{part.hits}/{part.of}" if part.of else "-"

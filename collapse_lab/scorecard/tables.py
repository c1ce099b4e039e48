"""Scores as Markdown tables: pure functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from collapse_lab.scorecard.detector_scores import PREVALENCES, Interval, Scores
from collapse_lab.scorecard.judged import ALARM, CALIBRATED_ROW
from collapse_lab.scorecard.left_out import LATER, HeldOut
from collapse_lab.scorecard.ranks import Ranked
from collapse_lab.scoring import COST_RATIOS, LEADS
from collapse_lab.scoring.markdown import brackets, percent, plain, share, table_of

OPERATING = (
    "healthy alarmed",
    "over groups",
    "truly below (95 %)",
    "early",
    "by chance",
    "p",
    "by onset + 10",
    "by chance",
    "p",
    "by half lost",
    "premature",
    "alarms / 1,000",
)
CHANCE_IS = (
    "*By chance* are the same alarms dealt to other runs; *p*: how often those do as well. *At "
    "random* are Poisson alarms at such a rate that as many healthy runs are alarmed on, exactly; "
    "there *p* is how often they do as well as the alarm tier."
)
LEADS_ARE = (
    "Leads are records from the first alarm to the onset; +20 is the share of collapses that were "
    "alarmed on at least 20 records before it, -10 by ten after."
)
WORTH_IS = (
    "*Re-armed*: early, if a premature alarm is forgiven; to be held against the *time in "
    "warning*, the share of healthy records at which that would have been so by luck. Precision "
    "and benefit count an alarm by the onset + 10, and a premature one as false. *Benefit*: share "
    "of the cost of all collapses that stopping at the first alarm avoids where a false alarm "
    "costs so many collapses and 10 % of runs collapse; 0 is never to alarm."
)
LATER_IS = (
    "In time: quarters of the runs by when they began, each judged by limits of the healthy runs "
    "made before it. Nobody makes the same runs twice, so that what is later is also otherwise."
)
RANKS_ARE = (
    "Areas over records before any onset, a case being followed by one within the horizon; "
    "censored by inverse weights, each run weighing the same, bootstrap intervals over groups. *At "
    "the same record* a case meets only controls that are as far into their runs: a clock has 0.5. "
    "*10 late*: what the same scores ten records late lose of it, paired."
)


def operating_points(rows: Mapping[str, Scores]) -> str:
    """False alarms and recall of each detector, and of alarms at random times beside the alarm
    tier's."""
    lines = [[name, *_point(one)] for name, one in rows.items()]
    lines += [
        [f"at random, as often as {name}", *_random(one)]
        for name, one in rows.items()
        if name in (ALARM, ALARM + CALIBRATED_ROW)
    ]
    return table_of(("detector", *OPERATING), lines)


def _random(one: Scores) -> list[str]:
    """Expected shares. There are no runs that were alarmed on, and so no intervals."""
    early, late = one.at_random["early"], one.at_random["late"]
    return [
        percent(one.healthy_alarmed.value),
        "-",
        "-",
        percent(early.share),
        "-",
        _seldom(early.as_well),
        percent(late.share),
        "-",
        _seldom(late.as_well),
        percent(one.at_random["by_crossing"].share),
        percent(one.at_random["premature"].share),
        "-",
    ]


def _point(one: Scores) -> list[str]:
    low, high = one.intervals["healthy_alarmed"]
    return [
        share(one.healthy_alarmed),
        f"{percent(low)} to {percent(high)}" if low == low else "-",
        percent(one.healthy_alarmed.upper()),
        share(one.early),
        percent(one.chance[0]),
        plain(one.chance[1], 3),
        share(one.late),
        percent(one.late_chance[0]),
        plain(one.late_chance[1], 3),
        share(one.by_crossing),
        share(one.premature),
        plain(one.alarms_per_thousand),
    ]


def _seldom(chance: float) -> str:
    return "< 0.001" if chance < 0.001 else plain(chance, 3)


def leads(rows: Mapping[str, Scores]) -> str:
    """How long before the onset: quartiles, the mean with misses as 0, the lead-recall curve."""
    header = [
        "detector",
        "median lead [quartiles]",
        "mean, misses 0",
        *(f"{lead:+d}" for lead in LEADS),
    ]
    lines: list[list[str]] = []
    for name, one in rows.items():
        low, middle, high = (plain(part) for part in one.lead)
        lines.append(
            [
                name,
                "-" if middle == "-" else f"{middle} [{low}, {high}]",
                plain(one.expected_lead),
                *(percent(one.lead_recall[lead].value) for lead in LEADS),
            ]
        )
    return table_of(header, lines)


def worth(rows: Mapping[str, Scores]) -> str:
    """What the alarms are worth to whoever acts on them."""
    prevalence = next(iter(rows.values())).prevalence
    header = [
        "detector",
        "re-armed",
        "time in warning",
        "compute saved",
        "lost",
        f"precision here ({percent(prevalence)})",
        *(f"at {percent(part)}" for part in PREVALENCES),
        *(f"benefit at {ratio:g}" for ratio in COST_RATIOS),
    ]
    lines = [
        [
            name,
            share(one.rearmed),
            percent(one.time_in_warning),
            percent(one.saved),
            percent(one.lost),
            *(percent(one.precision(part)) for part in (prevalence, *PREVALENCES)),
            *(plain(one.net_benefit(PREVALENCES[0], ratio), 2) for ratio in COST_RATIOS),
        ]
        for name, one in rows.items()
    ]
    return table_of(header, lines)


def ranks(found: Iterable[Ranked]) -> str:
    """Areas of the detectors' scores."""
    header = [
        "score of",
        "records ahead",
        "AUROC at the same record",
        "10 late",
        "AUROC over all",
        "AUPRC",
        "of a blind score",
    ]
    lines = [
        [
            one.detector,
            str(one.horizon),
            _area(one.roc_at_same_record, one.roc_at_same_record_interval),
            _ends(one.late_minus_now),
            _area(one.roc, one.roc_interval),
            _area(one.precision_recall, one.precision_recall_interval),
            plain(one.prevalence, 2),
        ]
        for one in found
    ]
    return table_of(header, lines)


def _area(area: float, ends: Interval) -> str:
    return "-" if area != area else f"{area:.2f} {brackets(ends)}"


def held_out(found: HeldOut) -> str:
    """The alarm tier on each value that its limits do not know, then every detector on all."""
    in_time = found.fact == LATER
    if in_time and not found.splits:
        return "No run says when it was made."
    header = [
        "made later" if in_time else f"{found.fact} left out",
        "limits of",
        "runs",
        *OPERATING[:9],
        "premature",
    ]
    lines: list[list[str]] = []
    for split in found.splits:
        if not split.limits:
            lines.append([split.value, "too few runs", *[""] * (len(header) - 2)])
            continue
        lines.append(
            [
                split.value,
                f"{split.limits.runs} healthy",
                str(len(split.runs)),
                *_few(found.by_value[split.value]),
            ]
        )
    runs = str(sum(len(split.runs) for split in found.splits))
    for name, one in found.together.items():
        lines.append(
            [f"all: {name}", "those before" if in_time else "the others", runs, *_few(one)]
        )
    return table_of(header, lines)


def held_out_title(found: HeldOut) -> str:
    """What `held_out` shows."""
    without = "what was made later" if found.fact == LATER else f"each {found.fact}"
    return f"Without {without}, alpha {found.alpha:g}"


def _few(one: Scores) -> list[str]:
    point = _point(one)
    return [*point[:9], point[10]]


def difference(what: str, ends: Mapping[str, Interval]) -> str:
    """Paired intervals as lines of text."""
    return "\n".join(
        f"{what}, {name.replace('_', ' ')}: {_ends(part)}" for name, part in ends.items()
    )


def _ends(ends: Interval) -> str:
    low, high = ends
    return f"{low:+.2f} to {high:+.2f}" if low == low else "-"


def kinds(counts: Mapping[str, int], groups: int) -> str:
    """`162 runs of 18 groups: 120 healthy, ...`."""
    named: Sequence[str] = [f"{count} {kind}" for kind, count in counts.items()]
    return f"{sum(counts.values())} runs of {groups} groups: {', '.join(named)}."

"""The chances that detectors state, as Markdown tables: pure functions."""

from __future__ import annotations

from collections.abc import Sequence

from collapse_lab.scorecard.detector_scores import Interval
from collapse_lab.scorecard.foretold import Foretold
from collapse_lab.scoring.markdown import brackets, percent, plain, table_of
from collapse_lab.scoring.probabilities import Bin, Brier

CHANCES_ARE = (
    "*Brier*: mean square of the chance that was stated minus what came, over the records of the "
    "areas and with their weights, where a chance was known (*known at* is their share); *blind*: "
    "that of the share of cases, stated at every record; *skill*: the part of it that is gone, 0 "
    "for whoever knows the share alone, less for whoever is worse. *Unreliability*: what is wrong "
    "about the numbers; *resolution*: what they tell apart. Then, of the records at which so much "
    "was stated: how often it came, and in brackets which part of all they are; and for each group "
    "the mean stated and what came."
)


def foretold(found: Sequence[Foretold]) -> str:
    """The scores, the reliability table and the groups; a sentence where nothing was stated."""
    if not found:
        return "No detector stated a chance."
    return "\n\n".join((_scores(found), _reliability(found), _by_group(found)))


def _scores(found: Sequence[Foretold]) -> str:
    header = [
        "chance by",
        "records ahead",
        "known at",
        "Brier",
        "blind",
        "skill",
        "stated",
        "came",
        "unreliability",
        "resolution",
    ]
    lines = [
        [
            one.detector,
            str(one.horizon),
            percent(one.brier.known),
            plain(one.brier.score, 3),
            plain(one.brier.blind, 3),
            _skill(one.brier.skill, one.skill_interval),
            percent(one.brier.stated),
            percent(one.brier.observed),
            plain(one.brier.unreliability, 3),
            plain(one.brier.resolution, 3),
        ]
        for one in found
    ]
    return table_of(header, lines)


def _skill(skill: float, ends: Interval) -> str:
    return "-" if skill != skill else f"{skill:+.2f} {brackets(ends, '+.2f')}"


def _reliability(found: Sequence[Foretold]) -> str:
    header = ["chance by", "stated", *(f"within {h}: came (of all)" for h in _horizons(found))]
    lines: list[list[str]] = []
    for detector in dict.fromkeys(one.detector for one in found):
        of = [one for one in found if one.detector == detector]
        for place, part in enumerate(of[0].brier.bins):
            between = f"{100 * part.low:.0f} to {percent(part.high)}"
            cells = [_came(one.brier.bins[place], one.bin_intervals[place]) for one in of]
            lines.append([detector, between, *cells])
    return table_of(header, lines)


def _came(part: Bin, ends: Interval) -> str:
    if not part.share > 0:
        return "-"
    between = brackets((100 * ends[0], 100 * ends[1]), ".0f")
    return f"{percent(part.observed)} {between} ({percent(part.share, 1)})"


def _by_group(found: Sequence[Foretold]) -> str:
    header = ["chance by", "group"]
    for horizon in _horizons(found):
        header += [f"within {horizon}: stated, came", "Brier (blind)"]
    lines: list[list[str]] = []
    for detector in dict.fromkeys(one.detector for one in found):
        of = [one for one in found if one.detector == detector]
        for group in of[0].by_group:
            cells = [cell for one in of for cell in _of_group(one.by_group[group])]
            lines.append([detector, group, *cells])
    return table_of(header, lines)


def _of_group(one: Brier) -> list[str]:
    if one.score != one.score:
        return ["-", "-"]
    return [
        f"{percent(one.stated)}, {percent(one.observed)}",
        f"{plain(one.score, 3)} ({plain(one.blind, 3)})",
    ]


def _horizons(found: Sequence[Foretold]) -> list[int]:
    return list(dict.fromkeys(one.horizon for one in found))

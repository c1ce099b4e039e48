"""The tables of the challengers: every way in which each was run, and ours against the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from benchmarks.challengers_scores import (
    ALPHA,
    Alarms,
    Comparison,
    Measured,
    against_best,
    measure,
)
from benchmarks.challengers_seen import Seen
from collapse_lab.scorecard import ALARM, LATE, references
from collapse_lab.scoring import Share
from collapse_lab.scoring.markdown import percent, plain, share, table_of

OURS = "collapse-lab, "
RECALLS = {"early_recall": "early", "recall_10_later": f"by onset + {LATE}"}
"""Outcome -> as it is called in the tables."""
ONLY_LONG = ("critical", "watch or above", "responses")
"""Endings of rows that the short table leaves out, beside those that know nothing."""


@dataclass(frozen=True, slots=True)
class Contender:
    """One detector: what it raised at its defaults, under limits held out and at equal false
    alarms; None where it cannot be run so."""

    defaults: Alarms | None
    held_out: Alarms | None = None
    equal: Alarms | None = None

    def only(self, places: Sequence[int]) -> Contender:
        """Some of the runs."""

        def some(alarms: Alarms | None) -> Alarms | None:
            return None if alarms is None else [alarms[place] for place in places]

        return Contender(some(self.defaults), some(self.held_out), some(self.equal))


def table(seen: Sequence[Seen], found: Mapping[str, Contender]) -> str:
    """One line for each way that a contender can be run."""
    runs = [one.run for one in seen]
    header = [
        "detector",
        "limits",
        "healthy alarmed",
        "early",
        "by chance",
        f"by onset + {LATE}",
        "by half lost",
        "median lead",
    ]
    lines: list[list[str]] = []
    for name, one in found.items():
        ways = {"defaults": one.defaults, "held out": one.held_out, "equal": one.equal}
        for way, alarms in ways.items():
            if alarms is not None:
                lines.append([_shown(name), way, *_cells(measure(runs, alarms))])
    return table_of(header, lines)


def short_table(seen: Sequence[Seen], found: Mapping[str, Contender]) -> str:
    """The main rows: one line a contender, at its defaults and held out."""
    runs = [one.run for one in seen]
    header = [
        "at its defaults: healthy runs alarmed",
        "caught before the fall",
        f"calibrated to {percent(ALPHA)}: healthy runs alarmed",
        "caught before the fall",
        f"by {LATE} records later",
        "by half lost",
    ]
    lines: list[list[str]] = []
    for name, one in found.items():
        if name.endswith(ONLY_LONG) or name in references():
            continue
        line = [_shown(name)]
        if one.defaults is None:
            line += ["-", "-"]
        else:
            some = measure(runs, one.defaults)
            line += [_counted(some.healthy), _counted(some.early)]
        if one.held_out is None:
            line += ["-"] * 4
        else:
            some = measure(runs, one.held_out)
            line += map(_counted, (some.healthy, some.early, some.late, some.by_crossing))
        lines.append(line)
    return table_of(["", *header], lines)


def comparisons(seen: Sequence[Seen], found: Mapping[str, Contender]) -> str:
    """Ours against the best challenger, under both kinds of limits, early and ten records late."""
    lines: list[list[str]] = []
    for (outcome, shown), way in product(RECALLS.items(), ("held_out", "equal")):
        for name in found:
            if name.startswith(OURS) and getattr(found[name], way) is not None:
                against = compared(seen, found, name, way, outcome)
                lines.append([name, shown, way.replace("_", " "), *_against(against)])
    header = ["ours", "recall", "limits", "best challenger", "ratio", "difference"]
    return table_of(header, lines)


def compared(
    seen: Sequence[Seen], found: Mapping[str, Contender], ours: str, way: str, outcome: str
) -> Comparison:
    """One row of ours against the best of all that is not ours."""
    others = {
        name: alarms
        for name, one in found.items()
        if not name.startswith(OURS) and (alarms := getattr(one, way)) is not None
    }
    return against_best([one.run for one in seen], getattr(found[ours], way), others, outcome)


def verdict(seen: Sequence[Seen], found: Mapping[str, Contender]) -> str:
    """What the short table comes to."""
    early, late = (compared(seen, found, OURS + ALARM, "held_out", name) for name in RECALLS)
    return (
        f"Calibrated, our alarm tier catches {_times(early)} as many collapses before the fall as "
        f"the best challenger ({early.challenger}), and {_times(late)} as many by {LATE} records "
        f"later ({late.challenger}); in brackets the paired bootstrap 95 % interval over groups."
    )


def summary(seen: Sequence[Seen]) -> str:
    """What the runs are."""
    kinds = Counter(one.run.kind for one in seen)
    groups = len({one.run.group for one in seen})
    named = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return f"{len(seen)} runs of {groups} groups: {named}."


FOOTNOTE = (
    "*Defaults*: as shipped. *Held out*: limits for each group of runs (same task, algorithm, "
    f"framework) from the healthy runs of all other groups, so that at most {percent(ALPHA)} of "
    "healthy runs alarm if groups are alike. *Equal*: limits from all healthy runs, so that they "
    "do. No such row: the tool has no threshold to move. *Early*: first alarm in the quarter of "
    "the run before the onset of the fall (at most 100 records), which hindsight sees; a first "
    "alarm before that is premature and a miss. *By half lost*: first alarm, however soon, by the "
    "crossing. *By chance*: early recall of the same alarms dealt to runs at random. *Lead*: "
    "records before the onset, of early ones. Wilson 95 % intervals in brackets."
)


def _cells(some: Measured) -> list[str]:
    return [
        share(some.healthy),
        share(some.early),
        percent(some.by_chance),
        share(some.late),
        share(some.by_crossing),
        plain(some.lead),
    ]


def _against(one: Comparison) -> list[str]:
    (low, high), (least, most) = one.ratio_interval, one.difference_interval
    return [
        one.challenger,
        f"{one.ratio:.2f} [{low:.2f}, {high:.2f}]",
        f"{one.difference:+.2f} [{least:+.2f}, {most:+.2f}]",
    ]


def _times(one: Comparison) -> str:
    low, high = one.ratio_interval
    return f"{one.ratio:.2f} [{low:.2f}, {high:.2f}] times"


def _shown(name: str) -> str:
    return f"**{name}**" if name.startswith(OURS) else name


def _counted(part: Share) -> str:
    return share(part).split(" [")[0]

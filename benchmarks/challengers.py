"""Every other detector on a corpus of runs, beside ours: at its defaults, and calibrated alike.

    python -m benchmarks.peers --install
    python -m benchmarks.challengers data/arena data/arena-rates [--hazard] [--write]

Roots are folders of run folders or of logs, with the labels of `collapse_lab.corpus`. Prints one
table and, below it, ours against the best challenger. `--hazard` also trains the hazard model for
each group of runs on the others, for which every run needs a recorded seed. `--write` puts the
table into `benchmarks/README.md` and its main rows into `README.md`. What the columns mean is said
below the table; how a score was made of each tool's thresholds, in `peer_worker.py` and
`peer_monitors.py`.
"""

from __future__ import annotations

import argparse
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

from benchmarks import challengers_hazard, peers, simple_rules
from benchmarks.challengers_limits import LIMITS
from benchmarks.challengers_scores import (
    ALPHA,
    Alarms,
    Comparison,
    Measured,
    against_best,
    best_single_signal,
    equal,
    held_out,
    measure,
)
from benchmarks.challengers_seen import COIN, Seen, see
from collapse_lab.calibration import conformal
from collapse_lab.corpus import LeftOut, read_corpus
from collapse_lab.detectors.cusum import CusumWatch
from collapse_lab.detectors.reward_drop import RewardDrop
from collapse_lab.scorecard import ALARM, LATE, references
from collapse_lab.scoring import Share
from collapse_lab.scoring.markdown import percent, plain, share, table_of

ROOT = Path(__file__).resolve().parents[1]
OURS = "collapse-lab, "
BEST_SIGNAL = "best single signal, chosen on other runs"
LIMITED = {
    ALARM: conformal.CALIBRATED,
    f"{ALARM}, reward aside": tuple(
        name for name in conformal.CALIBRATED if name != RewardDrop.name
    ),
    "watch or above": (CusumWatch.name,),
}
"""Tier of ours -> the detectors that are calibrated for it."""
RECALLS = {"early_recall": "early", "recall_10_later": f"by onset + {LATE}"}
"""Outcome -> as it is called in the tables."""
ONLY_LONG = ("critical", "watch or above", "responses")
"""Endings of rows that the short table leaves out, beside those that know nothing."""
LONG, SHORT = ROOT / "benchmarks/README.md", ROOT / "README.md"


@dataclass(frozen=True, slots=True)
class Contender:
    """One detector: what it raised at its defaults, under limits held out and at equal false
    alarms; None where it cannot be run so."""

    defaults: Alarms | None
    held_out: Alarms | None = None
    equal: Alarms | None = None


def contenders(
    seen: Sequence[Seen], with_peers: bool, learned: Mapping[str, Alarms] | None = None
) -> dict[str, Contender]:
    """Row -> contender: ours first, then tools, rules, and rows that know nothing.

    `learned` are the first alarms of models that were trained without the runs they judge.
    """
    hard: Alarms = [one.run.alarms("critical") for one in seen]

    def calibrated(defaults: Alarms | None, *detectors: str) -> Contender:
        return Contender(defaults, held_out(seen, detectors), equal(seen, detectors))

    def ours(name: str, *detectors: str) -> Contender:
        """A tier of ours. Hard failures have no limit and stay outside of alpha, as in `watch`."""
        limited = calibrated([one.run.alarms(name) for one in seen], *detectors)
        return Contender(
            limited.defaults, _joined(limited.held_out, hard), _joined(limited.equal, hard)
        )

    def row(name: str) -> Alarms:
        return [one.alarms[name] for one in seen]

    found: dict[str, Contender] = {}
    for name, detectors in LIMITED.items():
        found[OURS + name] = ours(name, *detectors)
    for name, alarms in (learned or {}).items():
        found[OURS + name] = Contender(None, _joined(alarms, hard))
    found[OURS + "critical"] = Contender(hard)
    for peer, requirement in zip(peers.KEYS, peers.REQUIREMENTS, strict=True):
        if with_peers:
            name = requirement.replace("==", " ")
            fixed = peer in peers.FIXED
            found[name] = Contender(row(peer)) if fixed else calibrated(row(peer), peer)
            found[f"{name}, critical"] = Contender(row(f"{peer}, critical"))
    blind = ("never", "always")
    for name in (*simple_rules.DRIFT, *LIMITS, *simple_rules.SCORES):
        if name not in blind:
            found[name] = calibrated(row(name), name)
    found[BEST_SIGNAL] = Contender(None, *best_single_signal(seen))
    for name, rule in references().items():
        if not name.startswith(ALARM):
            found[name] = Contender([rule(one.run) for one in seen])
    found[COIN] = calibrated(None, COIN)
    return found


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


def _joined(first: Alarms | None, second: Alarms) -> Alarms:
    assert first is not None
    return [sorted({*one, *other}) for one, other in zip(first, second, strict=True)]


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


def write(path: Path, text: str) -> None:
    """Replaces what stands between the comments `challengers:begin` and `challengers:end`."""
    begin, end = "<!-- challengers:begin -->", "<!-- challengers:end -->"
    before, rest = path.read_text().split(begin)
    _, after = rest.split(end)
    path.write_text(f"{before}{begin}\n{text}\n{end}{after}")


def read(roots: Sequence[Path], with_peers: bool) -> list[Seen]:
    """All finished runs below the roots, judged; named by root, so that no two have one name."""
    return [
        see(replace(run, name=f"{root.name}/{run.name}"), with_peers)
        for root in roots
        for run in read_corpus([root])
        if not isinstance(run, LeftOut)
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Every detector on a corpus, calibrated alike.")
    parser.add_argument("roots", nargs="+", type=Path)
    parser.add_argument("--write", action="store_true", help="put the tables into the READMEs")
    parser.add_argument("--hazard", action="store_true", help="train the hazard model for each")
    parser.add_argument("--without-peers", action="store_true", help="only what runs in here")
    arguments = parser.parse_args()
    seen = read(arguments.roots, not arguments.without_peers)
    learned = challengers_hazard.held_out(seen, arguments.roots) if arguments.hazard else None
    found = contenders(seen, not arguments.without_peers, learned)
    parts = (summary(seen), table(seen, found), FOOTNOTE, comparisons(seen, found))
    whole = "\n\n".join(parts)
    print(whole)
    if arguments.write:
        command = " ".join(map(str, arguments.roots)) + " --hazard" * arguments.hazard
        command = f"`python -m benchmarks.challengers {command} --write`"
        write(LONG, f"Written by {command}. {whole}")
        write(SHORT, "\n\n".join((summary(seen), short_table(seen, found), verdict(seen, found))))


if __name__ == "__main__":
    main()

"""Every other detector on a corpus of runs, beside ours: at its defaults, and calibrated alike.

    python -m benchmarks.peers --install
    python -m benchmarks.challengers data/arena data/arena-rates [--hazard] [--write]

Roots are folders of run folders or of logs, with the labels of `collapse_lab.corpus`. Prints one
table and, below it, ours against the best challenger. `--hazard` also trains the hazard model for
each group of runs on the others, for which every run needs a recorded seed, and repeats the tables
for the runs on which its features were not chosen. `--write` puts the
table into `benchmarks/README.md` and its main rows into `README.md`. What the columns mean is said
below the table; how a score was made of each tool's thresholds, in `peer_worker.py` and
`peer_monitors.py`.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks import challengers_hazard, marked, peers, simple_rules
from benchmarks.challengers_limits import LIMITS
from benchmarks.challengers_scores import Alarms, best_single_signal, equal, held_out
from benchmarks.challengers_seen import COIN, Seen, see
from benchmarks.challengers_tables import (
    FOOTNOTE,
    OURS,
    Contender,
    comparisons,
    short_table,
    summary,
    table,
    verdict,
)
from collapse_lab.calibration import conformal
from collapse_lab.corpus import LeftOut, read_corpus
from collapse_lab.detectors.cusum import CusumWatch
from collapse_lab.detectors.reward_drop import RewardDrop
from collapse_lab.scorecard import ALARM, references

ROOT = Path(__file__).resolve().parents[1]
BEST_SIGNAL = "best single signal, chosen on other runs"
LIMITED = {
    ALARM: conformal.CALIBRATED,
    f"{ALARM}, reward aside": tuple(
        name for name in conformal.CALIBRATED if name != RewardDrop.name
    ),
    "watch or above": (CusumWatch.name,),
}
"""Tier of ours -> the detectors that are calibrated for it."""
LONG, SHORT = ROOT / "benchmarks/README.md", ROOT / "README.md"


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


def _joined(first: Alarms | None, second: Alarms) -> Alarms:
    assert first is not None
    return [sorted({*one, *other}) for one, other in zip(first, second, strict=True)]


def on_unseen(seen: Sequence[Seen], found: Mapping[str, Contender], roots: Sequence[Path]) -> str:
    """The same limits and alarms, on the runs alone that no feature of the hazard model was chosen
    on."""
    places = challengers_hazard.unseen(seen, roots)
    some = [seen[place] for place in places]
    cut = {name: one.only(places) for name, one in found.items()}
    return "\n\n".join(
        [
            "The same limits on those runs alone on which nothing of the hazard model was chosen "
            f"(seeds from 3 on, one algorithm, one task, one failure): {summary(some)}",
            short_table(some, cut),
            comparisons(some, cut),
        ]
    )


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
    parts = [summary(seen), table(seen, found), FOOTNOTE, comparisons(seen, found)]
    if arguments.hazard:
        parts.append(on_unseen(seen, found, arguments.roots))
    whole = "\n\n".join(parts)
    print(whole)
    if arguments.write:
        command = " ".join(map(str, arguments.roots)) + " --hazard" * arguments.hazard
        command = f"`python -m benchmarks.challengers {command} --write`"
        short = "\n\n".join((summary(seen), short_table(seen, found), verdict(seen, found)))
        marked.write([LONG], {"challengers": f"Written by {command}. {whole}"})
        marked.write([SHORT], {"challengers": short})


if __name__ == "__main__":
    main()

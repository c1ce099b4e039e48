"""`collapse-lab demo --recorded`: a recorded collapse played back as if it were happening now.

Both runs were made by `data/make_demo_run.py`, a real training. Their records go through the
generator that `watch` and `replay` use; only the waiting is made up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from collapse_lab.alerts import block, headline
from collapse_lab.detectors.panel import describe
from collapse_lab.figure import draw, save
from collapse_lab.labels import label_run
from collapse_lab.records import Alarm, Record, firm
from collapse_lab.store import RunReader, read_meta
from collapse_lab.watch import detect
from collapse_lab.watch.afterwards import panel_for

RECORDED = Path(__file__).parent / "recorded"
PLAYING_SECONDS = 8.0
TOLD_EVERY = 10
TOLD = ("reward/mean", "policy/entropy", "optim/grad_norm", "ratio/max")


def run(short: bool, out: Path, echo: Callable[[str], object] = print) -> None:
    """Plays the collapse, says what the alarm was worth, and draws it to `out` (HTML, or SVG).

    `short` neither waits between the steps nor prints them.
    """
    folder = RECORDED / "collapse"
    records = RunReader(folder).new()
    echo(
        "A small policy learns to sort digits, and an entropy controller keeps raising its bonus.\n"
        f"A real training of {len(records)} steps, recorded; played faster than it ran.\n"
    )
    heard: list[Alarm] = []
    for record, alarms in _judge(folder, records if short else _paced(records)):
        if not short and record.step % TOLD_EVERY == 0:
            numbers = (f"{name} {record.values[name]:.3g}" for name in TOLD)
            echo("  ".join([f"step {record.step:3}", *numbers]))
        for alarm in alarms:
            first = firm([alarm]) and not firm(heard)
            echo(f"\n{block(alarm, str(folder))}\n" if first else headline(alarm))
            heard.append(alarm)
    summary = "\n".join(_summary(records, heard))
    echo(f"\n{summary}")
    for alarm in firm(heard)[:1]:
        title, earlier = "An entropy bonus gets out of hand", heard[: heard.index(alarm)]
        text = f"{block(alarm, str(folder))}\n\n{summary}"
        save(out, draw(records, alarm, title, earlier), title, text)
        echo(f"The picture: {out}")
    echo("Your own run: collapse-lab watch -- python train.py, or collapse-lab replay your.log")


def _judge(folder: Path, records: Iterable[Record]) -> Iterator[tuple[Record, list[Alarm]]]:
    meta = read_meta(folder)
    return detect(records, lambda: panel_for(meta))


def _paced(records: list[Record]) -> Iterator[Record]:
    for record in records:
        time.sleep(PLAYING_SECONDS / len(records))
        yield record


def _summary(records: list[Record], heard: list[Alarm]) -> Iterator[str]:
    """What came first, and whether the same training without the fault stayed quiet."""
    fall = label_run(records)
    assert fall.onset is not None and fall.cross is not None  # tests/test_demo.py holds the record
    yield (
        f"Looking back, the reward began to fall at step {fall.onset} and had lost half of its "
        f"gain at step {fall.cross}."
    )
    notices = [alarm for alarm in heard if alarm.severity == "watch" and alarm.step < fall.cross]
    for alarm in (*notices[-1:], *firm(heard)[:1]):
        early = fall.cross - alarm.step
        plural = "" if abs(early) == 1 else "s"
        yield (
            f"{alarm.severity} at step {alarm.step}, {abs(early)} step{plural} "
            f"{'before' if early > 0 else 'after'} that: {describe(alarm.evidence[0])}."
        )
    folder = RECORDED / "healthy"
    healthy = RunReader(folder).new()
    quiet = firm(alarm for _, alarms in _judge(folder, healthy) for alarm in alarms)
    verdict = f"{len(quiet)} alarms" if quiet else "no alarm"
    yield f"The same training with the bonus capped: {len(healthy)} steps, {verdict}."

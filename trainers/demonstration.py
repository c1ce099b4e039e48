"""`collapse-lab demo`: a tolerant clip is trained under `watch` until it collapses; SAMPO.

Both runs have the same initial policy, tasks, seed and learning rate; only the algorithm differs.
They are ordinary commands, which a person can type: what is shown is what `watch` does.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from collapse_lab.alerts import block
from collapse_lab.detectors.panel import describe
from collapse_lab.figure import draw, save
from collapse_lab.labels import Label, label_run
from collapse_lab.records import Alarm, Record, firm
from collapse_lab.store import RunReader

TOLERANT, STABLE = "sapo", "sampo"
SETTINGS = ("lr=6e-4", "steps=70")
"""At one and a half times the arena's rate: the tolerant clip dies in a minute, SAMPO learns."""
SUCCESS = "reward/success_rate"
LAST = 10
COMMAND = (sys.executable, "-c", "from collapse_lab.cli import main; main()")


def demonstrate(root: Path, out: Path, echo: Callable[[str], object], seed: int = 0) -> None:
    """Trains and watches both, tells lead and outcome, draws the collapse to `out`
    (HTML, or SVG)."""
    echo(
        f"A small agent learns household tasks with {TOLERANT.upper()}, whose clip tolerates large "
        "ratios. It is cloned from an expert first; all of it takes a few minutes on two cores.\n"
    )
    folder = _watched(TOLERANT, root, seed, echo)
    records, alarms = RunReader(folder).new(), RunReader(folder).alarms()
    label = label_run(records)
    verdict = f"{_outcome(TOLERANT, records)} {_verdict(label, alarms)}"
    echo(f"\n{verdict}")
    for alarm in firm(alarms)[:1]:
        title, earlier = "A tolerant clip collapses", alarms[: alarms.index(alarm)]
        text = f"{block(alarm, str(folder))}\n\n{verdict}"
        save(out, draw(records, alarm, title, earlier), title, text)
        echo(f"The picture: {out}")
    echo(f"\nThe same seed, tasks and learning rate with {STABLE.upper()}:\n")
    stable = RunReader(_watched(STABLE, root, seed, echo))
    told = firm(stable.alarms())
    quiet = "no alarm" if not told else f"{len(told)} alarms, the first at step {told[0].step}"
    echo(f"\n{_outcome(STABLE, stable.new())} {quiet.capitalize()}.")
    echo(f"Both runs lie in {root}. Your own: collapse-lab watch -- python train.py")


def _watched(algorithm: str, root: Path, seed: int, echo: Callable[[str], object]) -> Path:
    """Runs one training under `watch`, its output and its alarms on our terminal."""
    settings = [word for setting in SETTINGS for word in ("--set", setting)]
    train = ["train", algorithm, "--seed", str(seed), *settings, "--root", str(root)]
    watch = ["watch", "--root", str(root), "--name", f"demo-{algorithm}-{seed}"]
    echo(f"$ collapse-lab {' '.join(watch)} -- collapse-lab {' '.join(train)}\n")
    subprocess.run([*COMMAND, *watch, "--", *COMMAND, *train], check=True)
    return root / watch[-1]


def _outcome(algorithm: str, records: list[Record]) -> str:
    """Best and last mean success."""
    success = [record.values[SUCCESS] for record in records]
    means = [sum(success[i : i + LAST]) / LAST for i in range(len(success) - LAST + 1)]
    return (
        f"{algorithm.upper()}: success {max(means):.2f} in its best {LAST} steps, "
        f"{means[-1]:.2f} in its last."
    )


def _verdict(label: Label, alarms: list[Alarm]) -> str:
    """How the alarm stood to the collapse, seen from the end."""
    if label.cross is None:
        return "It did not collapse this time: another machine rounds otherwise, try another seed."
    fell = f"It began to fall at step {label.onset} and had lost half of its gain at {label.cross}."
    if not (told := firm(alarms)):
        return f"{fell} No alarm was raised: a miss."
    early = label.cross - told[0].step
    when = f"{abs(early)} steps {'before' if early >= 0 else 'after'} that"
    return f"{fell} The alarm came at step {told[0].step}, {when}: {describe(told[0].evidence[0])}."

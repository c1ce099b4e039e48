"""What became of a run, in words: a look at all of it, which no detector has while it goes on."""

from __future__ import annotations

from collections.abc import Iterator

from collapse_lab.labels import Label
from collapse_lab.report.case import Case

FELL = ("collapse", "slow_decay", "suspect_censored")


def hindsight(case: Case) -> Iterator[str]:
    """A sentence on the attempt that a report is about, and one on the last if that is another."""
    label, alarm = case.label, case.alarm
    over = "this attempt" if case.others else "the whole run"
    seen = _seen(label)
    if label.kind in FELL and alarm is None:
        seen += "; no detector saw it"
    elif label.kind in FELL and alarm and label.cross is not None:
        lead = label.cross - alarm.step
        away = f"{counted(abs(lead))} {'after' if lead > 0 else 'before'}"
        seen += f", {away} this alarm" if lead else ", the step of this alarm"
    yield f"Looking back over {over}, {seen}."
    if case.ended:
        yield f"In the last attempt at this run, {_seen(case.ended)}."


def _seen(label: Label) -> str:
    """What became of a run in hindsight."""
    told = {
        "healthy": "the reward did not collapse",
        "healthy_with_dip": "the reward fell once and came back",
        "never_learned": "the reward never rose above its noise",
        "too_short": "there are too few steps to say whether the reward collapsed",
        "no_reward": "no reward was logged, so nobody can say whether it collapsed",
        "hard_fail": f"the loss or the gradient is not finite from step {label.onset} on",
    }
    fell = f"the reward began to fall at step {label.onset} and had lost half of its gain"
    return told.get(label.kind, f"{fell} at step {label.cross}")


def counted(number: int) -> str:
    """So many steps, in words."""
    return f"{number} step" if number == 1 else f"{number} steps"

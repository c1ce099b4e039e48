"""An alarm in words: what a person needs to decide what to do."""

from __future__ import annotations

import math
import shlex

from collapse_lab.mechanisms import mechanism
from collapse_lab.records import Alarm, Evidence

MOST_SIGNALS = 6


def headline(alarm: Alarm) -> str:
    """One line, for a subject or a list."""
    return f"{alarm.severity} at step {alarm.step}: {alarm.message}"


def block(alarm: Alarm, run: str) -> str:
    """A few aligned lines; `run` is the run folder or the log that the alarm is about."""
    facts = [("since", _since(alarm))]
    for part in alarm.evidence[:MOST_SIGNALS]:
        facts.append(("signal" if part is alarm.evidence[0] else "", _evidence(part)))
    if len(alarm.evidence) > MOST_SIGNALS:
        facts.append(("", f"and {len(alarm.evidence) - MOST_SIGNALS} more"))
    if alarm.families:
        facts.append(("evidence", ", ".join(alarm.families)))
    facts += _suspicions(alarm)
    if alarm.last_healthy_step is None:
        facts.append(("healthy", "no step before it: there is no checkpoint to go back to"))
    else:
        facts.append(("healthy", f"up to step {alarm.last_healthy_step}: go back to a checkpoint "
                      "no later than that"))  # fmt: skip
    if alarm.not_monitored:
        facts.append(("unseen", f"not monitored here: {', '.join(alarm.not_monitored)}"))
    facts += [("note", note) for note in alarm.notes]
    facts += [("run", run), ("look", f"collapse-lab replay {shlex.quote(run)}")]
    title = f"collapse-lab {alarm.severity.upper()} at step {alarm.step} ({alarm.detector})"
    reason = [] if alarm.evidence else [f"  {alarm.message}"]
    return "\n".join([title, *reason, *(f"  {name:<9} {fact}" for name, fact in facts)])


def _suspicions(alarm: Alarm) -> list[tuple[str, str]]:
    """The likeliest mechanism with what to try, the others in a line each."""
    facts: list[tuple[str, str]] = []
    for one in alarm.suspicions:
        because = f": {'; '.join(one.because)}" if one.because else ""
        known = mechanism(one.mechanism)
        facts.append(("or" if facts else "likely", f"{known.name}{because}"))
        if one is alarm.suspicions[0]:
            facts += [
                ("" if index else "try", f"{remedy.text} ({remedy.source})")
                for index, remedy in enumerate(known.remedies)
            ]
    return facts


def _since(alarm: Alarm) -> str:
    low, high = alarm.since_interval
    between = "" if low == high else f" (between {low} and {high})"
    return f"step {alarm.since}{between}"


def _evidence(part: Evidence) -> str:
    text = f"{part.signal} {part.observed:.4g}"
    if math.isfinite(part.expected):
        text += f", expected {part.expected:.4g}"
    bounds = [
        f"{word} {bound:.4g}"
        for word, bound in (("at least", part.low), ("at most", part.high))
        if math.isfinite(bound)
    ]
    if len(bounds) == 2:
        bounds = [f"{part.low:.4g} to {part.high:.4g}"]
    if bounds:
        text += f" ({bounds[0]})"
    if math.isfinite(part.observed):
        text += f", {part.direction}"
    return f"{text} since step {part.since}, {part.bad_steps} of {part.steps} records"

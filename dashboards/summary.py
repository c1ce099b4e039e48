"""What the table of runs says of one run, computed once from the run's own files."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

import numpy as np

from collapse_lab.dashboards.attempts import gone_back_behind
from collapse_lab.dashboards.columns import Columns, Floats
from collapse_lab.detectors.reward import REWARDS as REWARDS_FOLLOWED
from collapse_lab.detectors.rules import FATAL
from collapse_lab.detectors.scale import JUDGED
from collapse_lab.inert import SHORT, inert
from collapse_lab.labels import NUMERIC, REWARDS, Label, label_run
from collapse_lab.liveness import RECENT, has_stalled, pace_of, run_state
from collapse_lab.mechanisms import mechanism
from collapse_lab.records import SEVERITIES, Alarm, Record, firm, told_first
from collapse_lab.scoring import point_of, usual_horizon

SPARK_POINTS, MOST_SETTING = 40, 60
LABELLED_ROWS = 20_000
"""Longer runs are not labelled: it would be a scan of their history."""
ALGORITHM = ("algorithm", "algorithm.adv_estimator", "adv_estimator", "loss_type", "trainer")
TASK = ("task", "env.env_name", "env", "dataset", "dataset_name", "data.train_files")
HEALTH = {
    **{severity: severity for severity in reversed(SEVERITIES)},
    "quiet": "quiet",
    "nothing": "nothing to judge",
    "unjudged": "not judged",
}
"""The worst severity that a run has raised or why there is none, the worst first, and in words."""
JUDGEABLE = JUDGED.union(REWARDS_FOLLOWED, FATAL)
"""A run that logs none of these signals cannot be judged."""


@dataclass(frozen=True, slots=True)
class Summary:
    """One row of the table. `state` and `age` change with the clock: see `at`.

    `health` is a key of HEALTH; the alarm told of is the first that promises something, else the
    first notice. `lead` is in steps, from that alarm to where
    half of the reward's gain was gone; None unless the run collapsed and was labelled, and for an
    alarm that came long before the fall. `steps` are records, which may be several training steps
    apart; `reached` is how many of those were made. `alarm_share` of the records came before that
    alarm; None where a later attempt has gone back behind it. `last_time` is when the last record
    was made, `changed` when a file of the run was written: later where it has been copied.
    """

    name: str
    title: str = ""
    state: str = "unknown"
    framework: str = ""
    algorithm: str = ""
    task: str = ""
    steps: int = 0
    reached: int = 0
    last_step: int | None = None
    planned: int | None = None
    started: float | None = None
    changed: float = 0.0
    last_time: float = 0.0
    step_seconds: float | None = None
    health: str = "unjudged"
    judged_here: bool = False
    alarms: int = 0
    alarm_step: int | None = None
    alarm_severity: str = ""
    alarm_share: float | None = None
    mechanism: str = ""
    label: str = ""
    onset: int | None = None
    cross: int | None = None
    lead: int | None = None
    reward: str = ""
    spark: tuple[float | None, ...] = ()
    ready: bool = False

    @property
    def going(self) -> bool:
        """Whether more steps may come."""
        return self.state in ("running", "stalled")

    def at(self, now: float) -> Summary:
        """As of `now`: a run whose writer is silent for long has stalled."""
        if self.state == "running" and has_stalled(now - self.changed, self.step_seconds):
            return replace(self, state="stalled")
        return self

    def to_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}

    @classmethod
    def from_dict(cls, raw: Mapping[str, Any]) -> Summary:
        fields: dict[str, Any] = {**raw, "spark": tuple(raw["spark"])}
        return cls(**fields)


def outline(name: str, meta: Mapping[str, Any], changed: float, now: float) -> Summary:
    """What run.json alone says, for a run whose records have not been looked at yet."""
    config = cast("dict[str, Any]", meta["config"]) if _is_map(meta.get("config")) else {}
    return Summary(
        name=name,
        title=inert(str(meta.get("name") or "")),
        state=run_state(meta, changed, now),
        framework=inert(str(meta.get("framework") or ""), MOST_SETTING),
        algorithm=_setting(config, ALGORITHM),
        task=_setting(config, TASK),
        planned=_whole(meta.get("planned_steps")),
        started=_real(meta.get("started")),
        changed=changed,
        last_time=changed,
    )


def summarise(
    outlined: Summary, columns: Columns, alarms: Sequence[Alarm] | None, judged_here: bool
) -> Summary:
    """The whole row. `alarms` None means that nobody has judged the run."""
    reward = next((name for name in REWARDS if name in columns.names), "")
    rows = columns.rows
    values = columns.read([reward])[reward].values[:rows] if reward else np.zeros(0)
    label = None if outlined.going else _label(columns)
    told = told_first(alarms or ())
    worst = max((SEVERITIES.index(alarm.severity) for alarm in alarms or ()), default=None)
    health = "unjudged" if alarms is None else "quiet"
    if not rows or JUDGEABLE.isdisjoint(columns.names):
        health = "nothing"
    return replace(
        outlined,
        steps=rows,
        reached=int(columns.steps[-1]) + int(columns.steps[0] == 0) if rows else 0,
        last_step=int(columns.steps[-1]) if rows else None,
        last_time=_last_time(columns, outlined.changed),
        step_seconds=pace_of(columns.times[-RECENT:].tolist()),
        health=health if worst is None else SEVERITIES[worst],
        judged_here=judged_here,
        alarms=len(alarms or ()),
        alarm_step=told.step if told else None,
        alarm_severity=told.severity if told else "",
        alarm_share=_share(columns, told) if told else None,
        mechanism=likely(told) if told else "",
        label=label.kind if label else "",
        onset=label.onset if label else None,
        cross=label.cross if label else None,
        lead=_lead(told, label, columns.steps.tolist()) if told and label else None,
        reward=reward,
        spark=spark(values),
        ready=True,
    )


def counted(alarms: Sequence[Alarm]) -> str:
    """How many alarms and notices there are, in words."""
    told = len(firm(alarms))
    notices = len(alarms) - told
    parts = [f"{told} alarm{'s' * (told != 1)}"] if told or not notices else []
    parts += [f"{notices} notice{'s' * (notices != 1)}"] if notices else []
    return " and ".join(parts)


def likely(alarm: Alarm) -> str:
    """The likeliest mechanism and the signal that moved most, the reward only where nothing else
    did; where no mechanism is named, the reason that the detector gives. A value that is not finite
    has no direction."""
    others = (part for part in alarm.evidence if part.family != "reward")
    lead = next(others, next(iter(alarm.evidence), None))
    moved = lead.signal if lead else ""
    if lead and math.isfinite(lead.observed):
        moved += f" {lead.direction}"
    if alarm.suspicions:
        name = mechanism(alarm.suspicions[0].mechanism).name
        return inert(f"{name}: {moved}" if moved else name, 2 * SHORT)
    reason = alarm.message.split("; ")[0].split(" (")[0]
    return inert(f"{moved}: {reason}" if moved else reason, 2 * SHORT)


def spark(values: Floats, points: int = SPARK_POINTS) -> tuple[float | None, ...]:
    """Means of as many stretches; None where a stretch has no number.

    >>> spark(np.array([1.0, 3.0, np.nan, np.nan]), 2)
    (2.0, None)
    """
    parts = np.array_split(values, min(points, len(values))) if len(values) else []
    means: list[float | None] = []
    for part in parts:
        finite = part[np.isfinite(part)]
        means.append(float(f"{finite.mean():.4g}") if len(finite) else None)
    return tuple(means)


def _share(columns: Columns, told: Alarm) -> float | None:
    if gone_back_behind(columns, told) is not None:
        return None
    return min(int(np.searchsorted(columns.steps, told.step)) / max(columns.rows - 1, 1), 1.0)


def _last_time(columns: Columns, changed: float) -> float:
    """By the record itself, unless its clock is ahead of ours."""
    known = columns.times[-1:]
    return min(float(known[0]), changed) if len(known) and np.isfinite(known[0]) else changed


def _lead(told: Alarm, label: Label, steps: Sequence[int]) -> int | None:
    """None, too, for an alarm so long before the fall that scoring calls it premature: it told of
    something else."""
    if label.onset is None or label.cross is None:
        return None
    onset = point_of(steps, label.onset)
    begin = math.ceil(onset - usual_horizon(onset))
    return label.cross - told.step if told.step >= steps[begin] else None


def _label(columns: Columns) -> Label | None:
    if not 0 < columns.rows <= LABELLED_ROWS:
        return None
    read = columns.read([*REWARDS, *NUMERIC])
    steps = columns.steps.tolist()
    rows: list[dict[str, float]] = [{} for _ in steps]
    for name, column in read.items():
        for row, value in enumerate(column.values.tolist()):
            if column.present[row]:
                rows[row][name] = value
    return label_run([Record(step, values=row) for step, row in zip(steps, rows, strict=True)])


def _setting(config: Mapping[str, Any], paths: Sequence[str]) -> str:
    for path in paths:
        value: Any = config.get(path)
        if value is None:
            value = config
            for part in path.split("."):
                value = cast("dict[str, Any]", value).get(part) if _is_map(value) else None
        if isinstance(value, (str, int)) and str(value):
            return inert(str(value), MOST_SETTING)
    return ""


def _is_map(value: Any) -> bool:
    return isinstance(value, dict)


def _whole(value: Any) -> int | None:
    return value if isinstance(value, int) else None


def _real(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and math.isfinite(value) else None

"""What every detector of the panel is given for one step, and how it answers."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar, Protocol

from collapse_lab.detectors.excursions import Excursions
from collapse_lab.detectors.frontend import Residuals
from collapse_lab.detectors.reward import Reward
from collapse_lab.records import Evidence, Record, Severity


@dataclass(frozen=True, slots=True)
class Step:
    """One record, its residuals, its reward and the `reward.PARTS` of that; `excused` after a
    restart, when residuals do not count.

    `deviations` holds each monitored family's largest residual in a bad direction this step.
    """

    record: Record
    residuals: Residuals
    excursions: Excursions
    deviations: dict[str, float]
    reward: Reward
    parts: tuple[Reward, ...]
    excused: bool


@dataclass(frozen=True, slots=True)
class Finding:
    """What a detector found; the panel adds what all alarms share and makes it an `Alarm`."""

    severity: Severity
    reason: str
    since: int
    since_interval: tuple[int, int]
    evidence: tuple[Evidence, ...] = ()
    notes: tuple[str, ...] = ()

    def told_after(self, restart: int, judged: int) -> Finding:
        """The same with what was there at step `judged`, the first that is judged after a restart,
        dated back to the restart: nobody has looked at the steps between."""

        def dated(step: int) -> int:
            return restart if restart < step <= judged else step

        since, low, high = map(dated, (self.since, *self.since_interval))
        evidence = (replace(part, since=dated(part.since)) for part in self.evidence)
        return replace(
            self, since=since, since_interval=(low, max(high, since)), evidence=tuple(evidence)
        )


class Detector(Protocol):
    """Causal and constant in memory: a finding at step t never depends on what comes after t.

    Never raises on NaN, missing or new signals. Plain attributes only, so that pickling saves it
    and a resumed run goes on where it was.
    """

    name: ClassVar[str]

    def update(self, step: Step) -> Finding | None: ...


class Scored(Detector, Protocol):
    """A detector that speaks when one number reaches a limit, so that it can be calibrated.

    `score` after an update is how much of the shipped limit has been reached: 1 is that limit,
    beyond it more is worse, and the score itself does not depend on where the limit is until it has
    been reached. `limit` is in the same units, None for the shipped one.
    """

    limit: float | None

    @property
    def score(self) -> float: ...

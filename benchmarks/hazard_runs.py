"""The runs of a corpus as the hazard model sees them, and which of them it may never see."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.cache import ROOT, cached, version
from benchmarks.run_folders import seed_of, with_folders
from collapse_lab import scoring
from collapse_lab.calibration.conformal import CALIBRATED, Course
from collapse_lab.corpus import CorpusRun
from collapse_lab.detectors.features import Features
from collapse_lab.detectors.frontend import Array
from collapse_lab.detectors.hazard import heard
from collapse_lab.detectors.limits import unreachable
from collapse_lab.detectors.panel import Panel
from collapse_lab.detectors.prior import Prior
from collapse_lab.labels import COLLAPSED
from collapse_lab.scorecard.judged import HEALTHY, told

FIRST_HELD_OUT_SEED = 3
HELD_OUT = {"algorithm": "gspo", "task": "web_shop", "failure": "mismatch"}
"""Never fitted on, never looked at before the end; nor are the real logs."""
NEVER_LEARNED = "never_learned"
AS_IT_COMES = "none set up"
DETECTORS = Path("collapse_lab/detectors")
CODE = version(
    *(str(DETECTORS / path.name) for path in sorted((ROOT / DETECTORS).glob("*.py"))),
    str(DETECTORS / "prior.json"),  # not the model, which is made of this
    *(f"collapse_lab/{module}.py" for module in ("signals", "labels", "knee", "noise")),
)


@dataclass(frozen=True, slots=True)
class Seen:
    """One run. `features` is (records, features); from record `first` on something was judged, and
    where `heard`, two families showed something.

    `onset` and `cross`, where half of the gain was lost, are points, None in a run that did not
    collapse. `course` holds the scores of the first generation. `kinds` says of each split to which
    part the run belongs, `why_held_out` by which of `HELD_OUT` the model may not see it, "" when it
    may.
    """

    name: str
    kind: str
    onset: int | None
    cross: int | None
    steps: Sequence[int]
    features: Array
    heard: NDArray[np.bool_]
    first: int
    course: Course
    kinds: dict[str, str]
    why_held_out: str

    @property
    def group(self) -> str:
        return self.course.group

    @property
    def healthy(self) -> bool:
        """Whether an alarm in it is a false one. A run that never learned is counted with none."""
        return self.kind in HEALTHY

    def scored(self, alarm: int | None) -> scoring.ScoredRun:
        """The run with its first alarm, to be early for its onset."""
        alarms = () if alarm is None else (alarm,)
        return scoring.ScoredRun(self.steps, alarms, self.onset, self.kind == "slow_decay")

    def crossing(self, alarm: int | None) -> scoring.ScoredRun:
        """The run with its first alarm, to be in time for half of the gain."""
        return scoring.ScoredRun(self.steps, () if alarm is None else (alarm,), self.cross)


def read(roots: Sequence[Path]) -> Iterator[Seen]:
    """Every run that collapsed, did not, or never learned; not what the label cannot call."""
    for run, folder in with_folders(roots):
        if run.label.kind in (*COLLAPSED, *HEALTHY, NEVER_LEARNED):
            yield _see(run, folder)


def see(run: CorpusRun, why_held_out: str, prior: Prior | None = None) -> Seen:
    """Replays a run, for its features and for the scores of the first generation."""
    eyes, features = Panel(prior=prior), Features()
    panel = Panel(prior=prior, limits=unreachable(CALIBRATED))
    rows: list[Array] = []
    listened: list[bool] = []
    scores: dict[str, list[float]] = {name: [] for name in CALIBRATED}
    first = len(run.records)
    for point, record in enumerate(run.records):
        step = eyes.see(record)
        if step.deviations:
            first = min(first, point)
        rows.append(features.update(step))
        listened.append(heard(step))
        panel.update(record)
        for name, values in scores.items():
            values.append(panel.scores()[name])
    labelled = told(run, ())
    failure = run.facts["failure"]
    kinds = {
        "algorithm": run.facts["algorithm"],
        "task": run.facts["task"],
        "framework": run.facts["framework"],
        "failure": AS_IT_COMES if failure == run.label.kind else failure,
        "group": run.group,
    }
    return Seen(
        run.name,
        labelled.kind,
        labelled.onset,
        labelled.cross,
        labelled.steps,
        np.array(rows),
        np.array(listened, bool),
        first,
        Course.of(run.name, run.group, {name: np.array(x) for name, x in scores.items()}),
        kinds,
        why_held_out,
    )


def why_held_out(run: CorpusRun, folder: Path) -> str:
    """By which of `HELD_OUT`, or by its seed, the model may not see a run; "" when it may."""
    why = next((f"{fact} {kept}" for fact, kept in HELD_OUT.items() if run.facts[fact] == kept), "")
    return "seed" if not why and seed_of(folder) >= FIRST_HELD_OUT_SEED else why


def _see(run: CorpusRun, folder: Path) -> Seen:
    why = why_held_out(run, folder)
    content = version(*(str(path) for path in sorted(folder.iterdir())))
    return cached(("hazard", CODE, str(folder), run.name, content), lambda: see(run, why))

"""Real logs with their labels: facts from `data/real_logs.json`, content from a folder outside.

The logs are other people's and are not ours to copy. `COLLAPSE_LAB_REALLOGS` names the folder
that holds them (`llm/`, `control/`); `data/README.md` says how to fetch them.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from benchmarks.cache import ROOT, cached, version
from collapse_lab.labels import label_run
from collapse_lab.readers.base import UnreadableLog
from collapse_lab.readers.reader import read
from collapse_lab.records import NEW_RUN, Record
from collapse_lab.scoring import point_of

HEALTHY = ("HEALTHY", "FLAT")
"""Verdicts that count as healthy. FLAT (no gain above noise) is a run that did not collapse."""
REWARDS = ("reward/mean", "reward/success_rate", "reward/penalised_mean")
LABELS = ("collapse_lab/labels.py", "collapse_lab/knee.py", "collapse_lab/noise.py")
READERS = ("collapse_lab/readers", "collapse_lab/signals.py", "collapse_lab/tail.py")


@dataclass(frozen=True, slots=True)
class LabelledLog:
    """One log: what it holds, what became of the run, and where it collapsed.

    `collapse` is an index into `records`: where the index's label has half of the best reward
    lost, on a smoothed reward that lags. `onset` is where `collapse_lab.labels` sees that fall
    begin. None where the run did not collapse or the label does not say. `problem` says why a log
    cannot be judged.
    """

    file: str
    repository: str
    family: str
    verdict: str
    records: Sequence[Record]
    collapse: int | None
    onset: int | None
    kind: str
    """What `collapse_lab.labels` calls the run."""
    key: tuple[str, ...]
    problem: str = ""

    @property
    def healthy(self) -> bool:
        return self.verdict in HEALTHY


def folder() -> Path:
    """Where the logs are; exits with what to do when nobody has said."""
    named = os.environ.get("COLLAPSE_LAB_REALLOGS")
    if not named:
        sys.exit(
            "Set COLLAPSE_LAB_REALLOGS to the folder of real logs (holding llm/ and control/); "
            "data/README.md says how to fetch them."
        )
    return Path(named)


def labels() -> list[dict[str, object]]:
    """The index: one entry a log."""
    return json.loads((ROOT / "data" / "real_logs.json").read_text())


def load(processes: int = 2) -> list[LabelledLog]:
    """Every log of the index that lies in the folder, read by our own readers."""
    root = folder()
    jobs = [(root, entry) for entry in labels() if (root / str(entry["file"])).exists()]
    with ProcessPoolExecutor(processes) as pool:
        return list(pool.map(_load, jobs, chunksize=4))


def _load(job: tuple[Path, dict[str, object]]) -> LabelledLog:
    root, entry = job
    key = ("records", version(*READERS), str(entry["sha"]))
    records, problem = cached(key, lambda: _read(root / str(entry["file"])))
    if any(NEW_RUN in record.notes for record in records[1:]):
        problem = "several runs in one file"
    collapse = None
    if isinstance(entry["coll"], int) and not problem:
        points = label_points(records, str(entry["key"]), entry["n"])
        if points is None:
            problem = "the label counted other rewards than we read"
        else:
            collapse = points[entry["coll"]]
    label = cached(("label", version(*LABELS), *key), lambda: label_run(records))
    onset = None
    if collapse is not None and label.onset is not None:
        onset = point_of([record.step for record in records], label.onset)
    return LabelledLog(
        str(entry["file"]),
        str(entry["repo"]),
        str(entry["fam"]),
        str(entry["v"]),
        records,
        collapse,
        onset,
        label.kind,
        key,
        problem or ("" if records else "no records"),
    )


def _read(path: Path) -> tuple[list[Record], str]:
    try:
        return read(path)[0], ""
    except UnreadableLog as error:
        return [], str(error).split(". ")[0].replace(str(path), "it")


def label_points(records: Sequence[Record], key: str, count: object) -> list[int] | None:
    """The points that the label's index counts: records with the reward it was made on.

    That reward may stand under the log's own name, under ours, or under its own until the
    framework was recognised. Where several records share a step (parallel environments) the label
    counted the step once. None when no way gives its number of points.
    """
    for names in (
        (key,),
        *((reward,) for reward in REWARDS),
        *((key, reward) for reward in REWARDS),
    ):
        points = [
            point
            for point, record in enumerate(records)
            if any(name in record.values for name in names)
        ]
        by_step = {records[point].step: point for point in points}
        for candidate in (points, list(by_step.values())):
            if len(candidate) == count:
                return candidate
    return None

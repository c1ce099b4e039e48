"""What pages work with: the root, the index of its runs and the columns of the open ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collapse_lab.dashboards.attempts import counting, left_over
from collapse_lab.dashboards.charts import Charts
from collapse_lab.dashboards.columns import Columns
from collapse_lab.dashboards.histories import Histories
from collapse_lab.dashboards.index import Index
from collapse_lab.dashboards.library import Library
from collapse_lab.dashboards.overwritten import MOST_ROWS, Overwritten, Piece
from collapse_lab.dashboards.root import Root, UnknownRun, UnreadableRun, meta_of
from collapse_lab.dashboards.settings import Settings
from collapse_lab.dashboards.shelf import Shelf
from collapse_lab.records import Alarm
from collapse_lab.store import RECORDS


@dataclass(frozen=True, slots=True)
class Desk:
    """Every method that takes a run's name raises UnknownRun for one that is not in the root."""

    root: Root
    index: Index
    library: Library
    reference: Desk | None = None
    """Healthy runs to hold others against: a calibration corpus."""
    _histories: Shelf[Path, Histories] = field(default_factory=lambda: Shelf(Histories, 8))
    _charts: Shelf[tuple[Path, Settings], Charts] = field(
        default_factory=lambda: Shelf(lambda key: Charts(*key), 6)
    )
    _overwritten: Shelf[tuple[Path, int], Overwritten] = field(
        default_factory=lambda: Shelf(lambda key: Overwritten(key[0]), 8)
    )

    def folder(self, name: str) -> Path:
        """The run's folder, checked to lie in the root."""
        return self.root.run(name)

    def columns(self, name: str) -> Columns:
        """The run's columns as they stand now, of several attempts what counts. Raises
        UnreadableRun, too."""
        return counting(self.everything(name))

    def everything(self, name: str) -> Columns:
        """The same with what an earlier attempt has left over."""
        folder = self.root.run(name)
        try:
            return self.library.columns(folder)
        except FileNotFoundError:
            raise UnknownRun(name) from None
        except Exception as error:
            raise UnreadableRun(str(error)) from error

    def earlier(self, name: str, everything: Columns) -> Sequence[Columns | Piece]:
        """What attempts have logged that the last one went back behind; of a run that is long, or
        of which only the Parquet is left, what they had beyond the step that it has reached."""
        folder = self.root.run(name)
        if not everything.rows or not everything.attempts.max():
            return []
        if everything.rows <= MOST_ROWS and (folder / RECORDS).exists():
            return self._overwritten.get((folder, (folder / RECORDS).stat().st_ino)).pieces()
        left = left_over(everything)
        return [] if left is None else [left]

    def histories(self, name: str) -> Histories:
        """The run's histograms as far as they have been read: `refresh` reads on."""
        return self._histories.get(self.root.run(name))

    def charts(self, name: str, settings: Settings) -> Charts:
        """What the detectors see in the run, as far as it has been judged: `refresh` judges on."""
        return self._charts.get((self.root.run(name), settings))

    def alarms(self, name: str) -> list[Alarm]:
        """The run's own alarms, else those that the app found by judging it afterwards."""
        return self.index.alarms(name)

    def meta(self, name: str) -> dict[str, Any]:
        """run.json."""
        return meta_of(self.root.run(name))

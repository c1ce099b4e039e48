"""What pages work with: the root, the index of its runs and the columns of the open ones."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from collapse_lab.dashboards.attempts import counting
from collapse_lab.dashboards.charts import Charts, ChartShelf
from collapse_lab.dashboards.columns import Columns
from collapse_lab.dashboards.histories import Histories, Shelf
from collapse_lab.dashboards.index import Index
from collapse_lab.dashboards.library import Library
from collapse_lab.dashboards.root import Root, UnknownRun, UnreadableRun, meta_of
from collapse_lab.dashboards.settings import Settings
from collapse_lab.records import Alarm


@dataclass(frozen=True, slots=True)
class Desk:
    """Every method that takes a run's name raises UnknownRun for one that is not in the root."""

    root: Root
    index: Index
    library: Library
    reference: Desk | None = None
    """Healthy runs to hold others against: a calibration corpus."""
    shelf: Shelf = field(default_factory=Shelf)
    chart_shelf: ChartShelf = field(default_factory=ChartShelf)

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

    def histories(self, name: str) -> Histories:
        """The run's histograms as far as they have been read: `refresh` reads on."""
        return self.shelf.histories(self.root.run(name))

    def charts(self, name: str, settings: Settings) -> Charts:
        """What the detectors see in the run, as far as it has been judged: `refresh` judges on."""
        return self.chart_shelf.charts(self.root.run(name), settings)

    def alarms(self, name: str) -> list[Alarm]:
        """The run's own alarms, else those that the app found by judging it afterwards."""
        return self.index.alarms(name)

    def meta(self, name: str) -> dict[str, Any]:
        """run.json."""
        return meta_of(self.root.run(name))

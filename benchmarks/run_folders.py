"""What `run.json` states of the runs of a corpus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from collapse_lab.corpus import CorpusRun, read_corpus
from collapse_lab.store import RUN, read_meta


def with_folders(roots: Sequence[Path]) -> Iterator[tuple[CorpusRun, Path]]:
    """Every run below the roots, and the folder that it lies in."""
    for root in roots:
        for run in read_corpus([root]):
            if isinstance(run, CorpusRun):
                yield run, folder_of(run, root)


def folder_of(run: CorpusRun, root: Path) -> Path:
    """Where a run below the root lies, which may be its folder. Of one log with several runs each
    has it."""
    return root if (root / RUN).is_file() else root / run.name.split(" [")[0]


def seed_of(folder: Path) -> int:
    """The seed in the run's configuration. Raises KeyError where none is stated."""
    return read_meta(folder)["config"]["seed"]

"""The arena's tables: as run, at equal environment steps, and each algorithm at its best rate."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence

import numpy as np

from benchmarks.arena_runs import WINDOW, ArenaRun
from collapse_lab.scoring.markdown import plain, table_of

RESAMPLES = 10_000
HEADER = (
    "algorithm",
    "seeds",
    f"success, best {WINDOW} steps",
    f"last {WINDOW} steps",
    "held out, end",
    "collapsed",
    "at step",
    "training steps",
    "environment steps",
)

ByAlgorithm = Mapping[str, Sequence[ArenaRun]]


def summary(runs: Iterable[ArenaRun]) -> str:
    """A table a task, as the runs ended."""
    return "\n\n".join(f"### {task}\n\n{_table(rows)}" for task, rows in by_task(runs).items())


def compute_matched(runs: Iterable[ArenaRun]) -> str:
    """A table a task, of all runs as they stood after equally many environment steps.

    The budget is what the cheapest algorithm took in all, on average over its seeds. Held-out
    success is that of the last evaluation before it was spent.
    """
    tables: list[str] = []
    for task, rows in by_task(runs).items():
        budget = min(_mean([run.spent for run in of_one]) for of_one in rows.values())
        cut = {name: [run.within(budget) for run in of_one] for name, of_one in rows.items()}
        tables.append(f"### {task}, after {plain(budget, 0)} environment steps\n\n{_table(cut)}")
    return "\n\n".join(tables)


def best_rates(runs: Iterable[ArenaRun]) -> str:
    """Two tables a task: every algorithm at its own best rate, and what all rates gave.

    The best rate has the highest success at the end, averaged over the seeds that ran at it; of
    equals, the lower one.
    """
    tables: list[str] = []
    for task, rows in by_task(runs).items():
        best = {name: best_rate(of_one) for name, of_one in rows.items()}
        at_best = {
            name: [run for run in of_one if run.rate == best[name]] for name, of_one in rows.items()
        }
        rates = sorted({run.rate for of_one in rows.values() for run in of_one})
        grid = (
            [name, *(_at_rate([run for run in rows[name] if run.rate == rate]) for rate in rates)]
            for name in ranked(at_best)
        )
        tables += [
            f"### {task}, each algorithm at its own best rate",
            _table(at_best, {"rate": {name: f"{rate:g}" for name, rate in best.items()}}),
            f"Success in the last {WINDOW} steps by rate, and how many collapsed:",
            table_of(["algorithm", *(f"{rate:g}" for rate in rates)], grid),
        ]
    tables.append(
        "Rates are chosen by the runs that are shown: the figures flatter, the more so the more "
        "rates were tried with few seeds."
    )
    return "\n\n".join(tables)


def best_rate(runs: Iterable[ArenaRun]) -> float:
    """Of the runs of one algorithm on one task; see `best_rates`."""
    ends: dict[float, list[float]] = {}
    for run in runs:
        ends.setdefault(run.rate, []).append(run.end)
    return max(sorted(ends), key=lambda rate: _mean(ends[rate]))


def by_task(runs: Iterable[ArenaRun]) -> dict[str, dict[str, list[ArenaRun]]]:
    """Runs by task, then by algorithm."""
    tasks: dict[str, dict[str, list[ArenaRun]]] = {}
    for run in runs:
        tasks.setdefault(run.task, {}).setdefault(run.algorithm, []).append(run)
    return tasks


def bootstrap(values: Sequence[float], seed: int = 0) -> tuple[float, float, float]:
    """Mean, and the 95 % percentile interval of the mean over resampled seeds."""
    sample = np.asarray(values, float)
    rows = np.random.default_rng(seed).integers(len(sample), size=(RESAMPLES, len(sample)))
    low, high = np.percentile(sample[rows].mean(1), [2.5, 97.5])
    return float(sample.mean()), float(low), float(high)


def _table(rows: ByAlgorithm, more: Mapping[str, Mapping[str, str]] | None = None) -> str:
    """The algorithm that ends best first; `more` are columns of text after the name."""
    extra = more or {}
    header = (HEADER[0], *extra, *HEADER[1:])
    lines = (
        (name, *(texts[name] for texts in extra.values()), *_cells(rows[name]))
        for name in ranked(rows)
    )
    return table_of(header, lines)


def ranked(rows: ByAlgorithm) -> list[str]:
    """Algorithms by mean success at the end, the best first."""
    return sorted(rows, key=lambda name: -_mean([run.end for run in rows[name]]))


def _cells(runs: Sequence[ArenaRun]) -> tuple[str, ...]:
    crossed = sorted(run.cross for run in runs if run.cross is not None)
    columns: list[Callable[[ArenaRun], float]] = [
        lambda run: run.peak,
        lambda run: run.end,
        lambda run: run.held_out_end,
    ]
    return (
        str(len(runs)),
        *(_interval([column(run) for run in runs]) for column in columns),
        f"{len(crossed)}/{len(runs)}",
        ", ".join(map(str, crossed)) or "-",
        plain(_mean([run.steps for run in runs]), 0),
        plain(_mean([run.spent for run in runs]), 0),
    )


def _interval(values: Sequence[float]) -> str:
    mean, low, high = bootstrap(values)
    return f"{mean:.2f} [{low:.2f}, {high:.2f}]"


def _at_rate(runs: Sequence[ArenaRun]) -> str:
    if not runs:
        return "-"
    collapsed = sum(run.collapsed for run in runs)
    return f"{_mean([run.end for run in runs]):.2f} ({collapsed}/{len(runs)})"


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values))

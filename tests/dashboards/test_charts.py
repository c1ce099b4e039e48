"""The detector's charts are those of the panel that judges the run, however little at a time."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from collapse_lab.dashboards.charts import E_VALUE, Charts
from collapse_lab.dashboards.settings import SHIPPED, Settings
from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Record
from collapse_lab.store import RECORDS, RunWriter

SIGNALS = ("policy/entropy", "optim/grad_norm", "mismatch/k3_kl", "length/mean")


def falling(steps: int = 100) -> list[Record]:
    """Four families leave their course together at step 60."""
    random = np.random.default_rng(3)
    return [
        Record(
            step,
            1000.0 + step,
            {
                name: float(np.exp(random.normal(0, 0.1) + 0.35 * min(max(step - 60, 0), 12)))
                for name in SIGNALS
            },
        )
        for step in range(steps)
    ]


def written(folder: Path, records: list[Record], finish: bool = True) -> RunWriter:
    writer = RunWriter(folder)
    for record in records:
        writer.append(record)
    if finish:
        writer.finish()
    return writer


def judged(charts: Charts) -> Charts:
    while not charts.refresh(0.0):  # a record at a time
        pass
    return charts


def values(charts: Charts, name: str, steps: int = 100) -> np.ndarray:
    column = charts.column(name, np.arange(steps))
    assert column is not None
    return column.values


def test_the_e_value_crosses_its_limit_at_the_step_of_the_alarm(tmp_path: Path) -> None:
    records = falling()
    written(tmp_path / "run", records)
    panel = Panel()
    alarms = [alarm for record in records for alarm in panel.update(record)]
    step = next(alarm.step for alarm in alarms if alarm.detector == "e-detector")
    charts = judged(Charts(tmp_path / "run", SHIPPED))
    value = values(charts, E_VALUE)
    assert charts.e_limit == pytest.approx(20)
    assert value[:step].max() < 20 <= value[step]
    assert value[step + 1] < 1  # the bets begin anew
    cusum = values(charts, "policy/entropy")
    part = next(part for alarm in alarms if alarm.step == step for part in alarm.evidence
                if part.signal == "policy/entropy")  # fmt: skip
    assert cusum[step] == pytest.approx(part.score, abs=0.006)
    assert np.isnan(cusum[:5]).all()  # too little was known


def test_other_settings_move_the_limits_and_mute(tmp_path: Path) -> None:
    written(tmp_path / "run", falling())
    settings = Settings(alpha=0.01, factors=(("cusum", 2.0),), muted=("length/mean",))
    charts = judged(Charts(tmp_path / "run", settings))
    assert (charts.e_limit, charts.cusum_limit) == (pytest.approx(100), 30.0)
    assert charts.column("length/mean", np.arange(100)) is None
    assert values(charts, E_VALUE).max() >= 100


def test_a_run_that_grows_is_judged_on_from_where_it_was(tmp_path: Path) -> None:
    records = falling()
    writer = written(tmp_path / "run", records[:70], finish=False)
    charts = judged(Charts(tmp_path / "run", SHIPPED))
    assert charts.judged == 70
    for record in records[70:]:
        writer.append(record)
    whole = judged(Charts(tmp_path / "run", SHIPPED))
    np.testing.assert_array_equal(
        values(judged(charts), E_VALUE), values(whole, E_VALUE)
    )  # fmt: skip


def test_a_run_of_which_only_the_sealed_form_is_left_has_the_same_charts(tmp_path: Path) -> None:
    written(tmp_path / "run", falling())
    before = values(judged(Charts(tmp_path / "run", SHIPPED)), "optim/grad_norm")
    (tmp_path / "run" / RECORDS).unlink()
    after = values(judged(Charts(tmp_path / "run", SHIPPED)), "optim/grad_norm")
    np.testing.assert_array_equal(before, after)


def test_of_a_step_that_came_twice_the_last_record_counts(tmp_path: Path) -> None:
    records = falling(60)
    loud = [Record(step, 2000.0 + step, dict.fromkeys(SIGNALS, 9.0)) for step in range(50, 60)]
    written(tmp_path / "run", [*records, *loud])
    value = values(judged(Charts(tmp_path / "run", SHIPPED)), "policy/entropy", 60)
    assert value[59] > 20 and not math.isnan(value[49])

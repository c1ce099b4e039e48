"""What a report is about: which run, which alarm, which steps and which samples."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Alarm, Record
from collapse_lab.report import open_case
from collapse_lab.report.case import AROUND
from collapse_lab.report.placing import before
from collapse_lab.report.samples import samples_around
from collapse_lab.report.words import remarks, story
from collapse_lab.store import RunWriter

DATA = Path(__file__).parents[2] / "data"
Build = Callable[..., Alarm]


def write(folder: Path, alarms: list[Alarm], steps: int = 200, **meta: object) -> RunWriter:
    """A run that logs its entropy for `steps` steps from 1 on, with the alarms as told."""
    writer = RunWriter(folder, meta)
    for step in range(1, steps + 1):
        writer.append(Record(step, values={"policy/entropy": 1 / step}))
    for one in alarms:
        writer.alarm(one)
    return writer


def test_a_run_that_nobody_has_judged_is_judged_now() -> None:
    case = open_case(DATA / "demo" / "collapse")
    assert case.judged
    assert case.alarm is not None and case.alarm.severity == "alarm"
    assert case.reward == "reward/success_rate"
    assert case.label.kind == "collapse"


def test_alarms_that_were_told_while_the_run_went_on_are_kept_as_they_were(
    tmp_path: Path, alarm: Build
) -> None:
    told = [alarm(step=40), alarm(step=90, severity="critical")]
    write(tmp_path, told).finish()
    case = open_case(tmp_path)
    assert (list(case.alarms), case.judged) == (told, False)


def test_the_report_is_about_the_first_alarm_that_promises_something(
    tmp_path: Path, alarm: Build
) -> None:
    write(tmp_path, [alarm(step=35, severity="watch"), alarm(step=60), alarm(step=80)]).finish()
    case = open_case(tmp_path)
    assert case.alarm is not None and case.alarm.step == 60
    assert [one.step for one in case.earlier] == [35]


def test_the_window_holds_fifty_records_before_and_after(tmp_path: Path, alarm: Build) -> None:
    write(tmp_path, [alarm(step=120, severity="critical")]).finish()
    late = open_case(tmp_path)  # its change began at step 28, so the window begins before that
    assert [record.step for record in late.window] == list(range(23, 120 + AROUND + 1))


def test_without_an_early_begin_the_window_is_even(tmp_path: Path) -> None:
    write(tmp_path, [Alarm(120, "alarm", "test", "", 118, (117, 119))]).finish()
    window = [record.step for record in open_case(tmp_path).window]
    assert window == list(range(120 - AROUND, 120 + AROUND + 1))


def test_a_notice_of_an_older_change_is_not_evidence_of_this_one(
    tmp_path: Path, alarm: Build
) -> None:
    old = alarm(step=35, severity="watch")  # entropy, since step 30
    firm = Alarm(90, "alarm", "test", "", 80, (78, 82))
    write(tmp_path / "old", [old, firm]).finish()
    assert open_case(tmp_path / "old").order == []
    same = Alarm(36, "alarm", "test", "", 30, (29, 31))
    write(tmp_path / "same", [old, same]).finish()
    assert [part.signal for part in open_case(tmp_path / "same").order] == ["policy/entropy"]


def test_samples_come_from_before_at_and_after_the_alarm(tmp_path: Path, alarm: Build) -> None:
    writer = write(tmp_path, [alarm(step=40)])  # the change began between 28 and 33
    for step in (10, 20, 30, 38, 50, 60):
        writer.sample(step, [{"response": f"at {step}"}])
    writer.finish()
    with (tmp_path / "samples.jsonl").open("ab") as file:
        file.write(b'{"step": 70, "sam\n{"step": 15, "samples": 3}\n\xff\xfe\n')
    shown = [(when, sample.step) for when, sample in open_case(tmp_path).samples]
    assert shown == [("before", 20), ("at", 38), ("after", 50)]


def test_of_many_samples_only_those_that_are_shown_are_parsed(tmp_path: Path) -> None:
    alarm = Alarm(40, "alarm", "test", "", 30, (28, 33))
    file = tmp_path / "samples.jsonl"
    lines = [f'{{"step": {step}, "samples": ["at {step}"]}}' for step in range(100)]
    lines[40] = lines[40][:-2]  # torn, so that the one before it is shown
    lines[:27] = [line + " is no JSON" for line in lines[:27]]
    file.write_text("\n".join(lines))  # the last one is still being written
    shown = samples_around(file, alarm)
    assert [(when, one.step, one.texts) for when, one in shown] == [
        ("before", 27, ["at 27"]), ("at", 39, ["at 39"]), ("after", 41, ["at 41"])
    ]  # fmt: skip
    assert [one.step for _, one in samples_around(file, None)] == [27, 98]
    assert samples_around(tmp_path / "none", None) == []


def test_any_log_that_replay_reads_can_be_reported(tmp_path: Path) -> None:
    log = tmp_path / "train.log"
    log.write_text("".join(
        f"step:{step} - actor/entropy:{2 - step / 50:.3f} - critic/score/mean:{step / 40:.3f}\n"
        for step in range(1, 31)
    ))  # fmt: skip
    case = open_case(log)
    assert (case.framework, len(case.records), case.meta) == ("verl", 30, {})
    assert case.alarm is None


def test_of_several_runs_in_a_log_the_one_with_the_worst_alarm_is_told(tmp_path: Path) -> None:
    demo = DATA / "demo"
    log = tmp_path / "records.jsonl"
    with log.open("wb") as file:
        for name in ("collapse", "healthy"):
            lines = (demo / name / "records.jsonl").read_bytes().splitlines(keepends=True)
            note = b'"notes": {"event/new_run": "%s"}, "values"' % name.encode()
            file.writelines([lines[0].replace(b'"values"', note), *lines[1:]])
    case = open_case(log)
    assert (case.part, case.parts, len(case.records)) == ("collapse", 2, 180)
    again = open_case(log, case.alarms)  # as the app has them, of all runs
    assert (again.part, again.at) == ("collapse", case.at)


def test_a_run_without_a_record_says_so(tmp_path: Path) -> None:
    RunWriter(tmp_path / "empty").finish()
    with pytest.raises(ValueError, match="holds no records yet"):
        open_case(tmp_path / "empty")


def test_a_resumed_run_is_shown_with_all_its_attempts(tmp_path: Path, alarm: Build) -> None:
    shutil.copytree(DATA / "demo" / "healthy", tmp_path / "run")
    writer = RunWriter(tmp_path / "run")
    writer.append(Record(100, values={"reward/mean": 0.5}, notes={"event/restart": "again"}))
    writer.finish()
    case = open_case(tmp_path / "run")
    assert case.restarts == [100]
    assert len(case.records) == 181


def rewards(step: int, fallen: int | None = None) -> dict[str, float]:
    """A reward that is learned within thirty steps, and gone from `fallen` on."""
    learned = min(0.8, 0.2 + 0.02 * step) + 0.01 * (step % 3)
    return {"reward/mean": 0.01 if fallen is not None and step >= fallen else learned}


def attempts(*parts: tuple[int, int, int | None]) -> list[Record]:
    """Attempts (from, to, fallen) of one run, a record a second."""
    records: list[Record] = []
    for number, (first, last, fallen) in enumerate(parts):
        for step in range(first, last):
            again = {"event/restart": "again"} if number and step == first else {}
            records.append(Record(step, 1e9 + len(records), rewards(step, fallen), notes=again))
    return records


def stored(folder: Path, records: list[Record], panel: Panel | None) -> None:
    """A run as `watch` leaves it: its records, and the alarms that they raised if it judged."""
    writer = RunWriter(folder)
    for record in records:
        writer.append(record)
        for raised in panel.update(record) if panel else ():
            writer.alarm(raised)
    writer.finish()


@pytest.mark.parametrize(
    ("parts", "attempt"),
    [
        ([(0, 100, None), (0, 90, 60)], range(100, 190)),
        ([(0, 80, 60), (50, 120, None)], range(80)),
    ],
)
def test_the_alarm_is_shown_in_the_attempt_that_raised_it(
    tmp_path: Path, parts: list[tuple[int, int, int | None]], attempt: range
) -> None:
    records = attempts(*parts)
    stored(tmp_path / "told", records, Panel())
    stored(tmp_path / "judged", records, None)
    told, judged = (open_case(tmp_path / name) for name in ("told", "judged"))
    assert (told.judged, judged.judged) == (False, True)
    for case in (told, judged):
        assert case.alarm is not None and case.alarm.severity == "alarm"
        assert case.at in attempt and case.records[case.at].step == case.alarm.step
        assert case.records[case.at] in case.window
        assert all(case.records.index(record) in attempt for record in case.window)


def test_a_resumed_attempt_is_shown_with_what_it_went_on_from(tmp_path: Path) -> None:
    records = attempts((0, 60, None), (50, 100, 75), (50, 100, None))
    stored(tmp_path / "run", records, Panel())
    os.utime(tmp_path / "run" / "alarms.jsonl", (1e9 + 105, 1e9 + 105))  # before the third attempt
    case = open_case(tmp_path / "run")
    assert case.alarm is not None
    assert case.at == 60 + case.alarm.step - 50
    first = case.alarm.step - AROUND
    line = [*range(first, 50), *range(60, 110)]
    assert list(case.window) == [case.records[index] for index in line]


def test_hindsight_looks_at_each_attempt_by_itself(tmp_path: Path) -> None:
    """The reward of steps 60 to 80 was lost, and was not when they were made again from 50 on."""
    stored(tmp_path / "run", attempts((0, 81, 60), (50, 120, None)), Panel())
    case = open_case(tmp_path / "run")
    assert case.alarm is not None and case.ended is not None
    assert (case.label.kind, case.ended.kind) == ("collapse", "healthy")
    assert [[one.step for one in other] for other in case.others] == [list(range(50, 120))]
    told = " ".join(story(case))
    assert "Looking back over this attempt, the reward began to fall" in told
    assert "In the last attempt at this run, the reward did not collapse." in told


def test_a_run_that_went_back_without_alarm_is_shown_as_it_went_on(tmp_path: Path) -> None:
    """Labelled as one series, a reward that is learned twice has fallen in between."""
    stored(tmp_path / "run", attempts((0, 100, None), (0, 40, None)), None)
    case = open_case(tmp_path / "run")
    assert (case.alarm, case.label.kind, case.ended) == (None, "healthy", None)
    assert list(case.window) == list(case.records[100:])
    assert case.others == [list(case.records[:100])]


@pytest.mark.parametrize(
    ("told", "kept"),
    [
        ([(40, None), (70, None), (60, 50)], [40]),  # 70 was made anew after the restart at 50
        ([(40, None), (55, None), (60, 50), (80, 50)], [40, 60]),
        ([(70, 50), (55, 50), (80, 50)], [55]),  # resumed from 50 twice
        ([(30, None), (80, None), (65, 60), (75, 60), (40, 20), (80, 20)], [40]),
        ([(40, None), (70, None), (80, None)], [40, 70]),
    ],
)
def test_only_notices_of_the_same_attempt_lead_up_to_an_alarm(
    told: list[tuple[int, int | None]], kept: list[int]
) -> None:
    alarms = [
        Alarm(step, "watch", "test", "", step, (step, step), restart=restart)
        for step, restart in told
    ]
    assert [alarm.step for alarm in before(alarms[-1], alarms)] == kept


def test_of_several_runs_that_are_all_quiet_the_last_is_told(tmp_path: Path) -> None:
    log = tmp_path / "a.csv"
    rows = [f"{run},{step},{0.5 + step % 3 / 100}" for run in ("a", "b") for step in range(30)]
    log.write_text("\n".join(["run,step,reward", *rows, ""]))
    case = open_case(log)
    assert (case.part, case.parts, case.alarm) == ("b", 2, None)
    assert "The log holds 2 runs; this is the last one." in remarks(case)

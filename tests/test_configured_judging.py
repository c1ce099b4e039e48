"""Whoever judges a run has its configuration: the same fall is named by what was configured."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import collapse_lab
from collapse_lab.cli import main
from collapse_lab.corpus import CorpusRun, read_corpus
from collapse_lab.dashboards.bench import replay
from collapse_lab.dashboards.judging import judge
from collapse_lab.detectors.panel import Panel
from collapse_lab.records import Alarm, Record
from collapse_lab.report.case import open_case
from collapse_lab.store import RUN_VARIABLE, RunReader, RunWriter
from collapse_lab.watch.follow import follow
from collapse_lab.watch.plan import Plan
from collapse_lab.watch.session import Session

CISPO = {
    "num_generations": 8,
    "num_iterations": 1,
    "max_completion_length": 64,
    "loss_type": "cispo",
    "epsilon": 0.2,
    "epsilon_high": 5.0,
}
HARD = CISPO | {"loss_type": "dapo", "epsilon_high": 0.28}


def records() -> list[Record]:
    """A rate that grows over the whole run, which learns, and loses it all from step 60 on."""
    found: list[Record] = []
    for step in range(80):
        wobble = 0.01 * (step % 3 - 1)
        reward = min(0.8, 0.1 + 0.02 * step) if step < 60 else max(0.0, 0.8 - 0.1 * (step - 59))
        values = {
            "reward/mean": reward + wobble,
            "policy/entropy": 0.4 + wobble,
            "optim/lr": 1e-6 * (step + 1),
        }
        found.append(Record(step, values=values))
    return found


def by_replay(folder: Path, config: Any) -> list[Alarm]:
    told = CliRunner().invoke(main, ["replay", "--json", str(written(folder, config))]).output
    return [Alarm.from_dict(alarm) for alarm in json.loads(told)["alarms"]]


def by_report(folder: Path, config: Any) -> list[Alarm]:
    return list(open_case(written(folder, config)).alarms)


def by_dashboard(folder: Path, config: Any) -> list[Alarm]:
    return judge(written(folder, config))


def by_workbench(folder: Path, config: Any) -> list[Alarm]:
    return replay(written(folder, config), None)


def by_the_corpus(folder: Path, config: Any) -> list[Alarm]:
    (run,) = [one for one in read_corpus([written(folder, config)]) if isinstance(one, CorpusRun)]
    panel = Panel(config=run.config)
    return [alarm for record in run.records for alarm in panel.update(record)]


def by_replay_of_a_log(folder: Path, config: Any) -> list[Alarm]:
    told = CliRunner().invoke(main, ["replay", "--json", str(logged(folder, config))]).output
    return [Alarm.from_dict(alarm) for alarm in json.loads(told)["alarms"]]


def by_report_of_a_log(folder: Path, config: Any) -> list[Alarm]:
    return list(open_case(logged(folder, config)).alarms)


def by_a_corpus_of_logs(folder: Path, config: Any) -> list[Alarm]:
    (run,) = [one for one in read_corpus([logged(folder, config)]) if isinstance(one, CorpusRun)]
    panel = Panel(config=run.config)
    return [alarm for record in run.records for alarm in panel.update(record)]


def by_following_a_log(folder: Path, config: Any) -> list[Alarm]:
    session = Session(Plan(folder / "run", {}, judging, follow=True), Silent())
    stop = threading.Event()

    def until_the_end() -> Iterator[Record]:
        for record in follow(logged(folder, config), [], stop, session.learn, print):
            if record.step == len(records()) - 2:  # the last one is whole when the log ends
                stop.set()
            yield record

    session.run(until_the_end())
    session.finish("finished", None)
    assert RunReader(folder / "run").meta.get("config", {}) == config
    return RunReader(folder / "run").alarms()


def by_the_process_itself(folder: Path, config: Any) -> list[Alarm]:
    with collapse_lab.init(id="run", root=folder, config=config) as run:
        for record in records():
            run.log(record.values, record.step)
    return run.alarms


def by_the_process_resumed(folder: Path, config: Any) -> list[Alarm]:
    collapse_lab.init(id="run", root=folder, config=config).finish()
    with collapse_lab.init(id="run", root=folder, resume=True) as run:
        for record in records():
            run.log(record.values, record.step)
    return run.alarms


def by_the_process_inside_watch(folder: Path, config: Any) -> list[Alarm]:
    RunWriter(folder / "run", {"config": config})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(RUN_VARIABLE, str(folder / "run"))
        with collapse_lab.init(stop_on="critical") as run:
            for record in records():
                run.log(record.values, record.step)
            run.flush()
            return run.alarms


class Silent:
    """`Orders` of a session that nobody hears."""

    def say(self, text: str) -> None: ...

    def signal(self, number: int) -> None: ...

    def stop(self, grace: float, patient: bool) -> None: ...


def judging(planned_steps: int | None, config: Any) -> Panel:
    return Panel(planned_steps, config=config)


def by_watch(folder: Path, config: Any) -> list[Alarm]:
    session = Session(Plan(folder / "run", {}, judging), Silent())
    session.learn(config=config)
    session.run(records())
    session.finish("finished", 0)
    return RunReader(folder / "run").alarms()


def written(folder: Path, config: Any) -> Path:
    writer = RunWriter(folder / "run", {"config": config})
    for record in records():
        writer.append(record)
    writer.finish()
    return folder / "run"


def logged(folder: Path, config: Any) -> Path:
    """A log of somebody else's, which states how its run was set up."""
    lines = [json.dumps({"config": config})] if config else []
    lines += [json.dumps({"step": one.step, **one.values}) for one in records()]
    path = folder / "metrics.jsonl"
    path.write_text("\n".join([*lines, ""]))
    return path


@pytest.mark.parametrize(
    "judged",
    [by_replay, by_report, by_dashboard, by_workbench, by_the_corpus, by_the_process_itself,
     by_the_process_resumed, by_the_process_inside_watch, by_watch,
     by_replay_of_a_log, by_report_of_a_log, by_a_corpus_of_logs, by_following_a_log],
)  # fmt: skip
@pytest.mark.parametrize(
    ("config", "first"),
    [(CISPO, "tolerant_clip"), (HARD, "learning_rate"), ({}, "learning_rate")],
)
def test_a_fall_is_named_by_what_was_configured(
    judged: Callable[[Path, Any], list[Alarm]], config: Any, first: str, tmp_path: Path
) -> None:
    alarm = next(a for a in judged(tmp_path, config) if a.severity == "alarm")
    assert alarm.suspicions[0].mechanism == first
    assert ("as configured, " in alarm.suspicions[0].because[-1]) == (first == "tolerant_clip")
    told = [note for note in alarm.notes if note.startswith("not considered: ")]
    assert len(told) == bool(config)
    fresh = "off-policy staleness (one update is made of every batch of rollouts)"
    assert all(fresh in note for note in told)
    held = "tolerant clip (the clip is a usual one (epsilon 0.2, epsilon_high 0.28))"
    assert any(held in note for note in told) == (config == HARD)

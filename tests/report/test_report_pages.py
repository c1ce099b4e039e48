"""The report as HTML and as Markdown: whole, self-contained, and inert whatever the run says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from collapse_lab.mechanisms import MECHANISMS
from collapse_lab.records import Alarm, Record, Suspicion
from collapse_lab.report import open_case, to_html, to_markdown
from collapse_lab.report.markdown import LONGEST, code, fenced, line, prose
from collapse_lab.store import RunWriter

DATA = Path(__file__).parents[2] / "data"
SCRIPT = "<script>alert(1)</script>"
HOSTILE = f"{SCRIPT}\x1b[31m\x00\u202e{'x' * 10**6}"
VOID = {"meta", "rect", "line", "path", "br"}


class Page(HTMLParser):
    """Counts elements, keeps attributes and text, and fails on tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: Counter[str] = Counter()
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(text)
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements[tag] += 1
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def collapse() -> Any:
    return open_case(DATA / "demo" / "collapse")


@pytest.fixture
def hostile(tmp_path: Path, alarm: Callable[..., Alarm]) -> Path:
    """A run whose every text is an attack."""
    folder = tmp_path / "<img src=x onerror=alert(1)>"
    meta = {"config": {HOSTILE: HOSTILE, "lr": HOSTILE}, "framework": SCRIPT, "command": [HOSTILE]}
    writer = RunWriter(folder, meta)
    for step in range(1, 60):
        values = {"policy/entropy": 0.2, HOSTILE: float(step), SCRIPT: float("nan")}
        writer.append(Record(step, values=values))
    writer.sample(5, [{"response": HOSTILE, SCRIPT: {SCRIPT: [SCRIPT, HOSTILE]}}])
    suspicion = Suspicion(HOSTILE, (HOSTILE,))
    writer.alarm(replace(alarm(step=40, message=HOSTILE), suspicions=(suspicion,)))
    writer.finish()
    with (folder / "samples.jsonl").open("ab") as file:
        file.write(b'{"step": 50, "samples": ["\xff\xfe ' + b"y" * 10**6 + b'"]}\n')
    return folder


def test_both_name_the_mechanism_why_and_what_to_try(
    tmp_path: Path, alarm: Callable[..., Alarm]
) -> None:
    writer = RunWriter(tmp_path / "run", {})
    for step in range(1, 60):
        writer.append(Record(step, values={"policy/entropy": 0.2}))
    named = Suspicion("entropy_collapse", ("it is 0.03",))
    writer.alarm(replace(alarm(step=40), suspicions=(named, Suspicion("length"))))
    writer.finish()
    case = open_case(tmp_path / "run")
    page, markdown = Page(to_html(case)).text, to_markdown(case)
    for key in ("entropy_collapse", "length"):
        known = MECHANISMS[key]
        for text in (known.name, known.meaning, *(remedy.text for remedy in known.remedies)):
            assert text in page and prose(text) in markdown
    assert "Seen here: it is 0.03." in page and "Seen here: it is 0.03." in markdown


def test_the_page_tells_when_what_and_which_checkpoint(collapse: Any) -> None:
    page = Page(to_html(collapse))
    alarm = collapse.alarm
    for told in (
        f"Alarm at step {alarm.step}",
        f"The change began at step {alarm.since}",
        f"Step {alarm.last_healthy_step} was the last that still looked healthy",
        "Not monitored: mismatch (not logged)",
        "collapse-lab replay",
    ):
        assert told in page.text
    assert all(part.signal in page.text for part in alarm.evidence)
    assert "bonus_rate" in page.text and "0.003" in page.text


def test_the_page_needs_nothing_from_outside_and_no_script(collapse: Any) -> None:
    page = Page(to_html(collapse))
    assert not {"script", "link", "img", "iframe", "object"} & page.elements.keys()
    assert not [name for name, _ in page.attributes if name in ("src", "href") or name[:2] == "on"]
    assert "url(" not in to_html(collapse) and "@import" not in to_html(collapse)


def test_every_signal_of_the_run_has_its_small_picture(collapse: Any) -> None:
    names = {name for record in collapse.records for name in record.values}
    page = Page(to_html(collapse))
    assert page.elements["figure"] == len(names)
    assert page.elements["svg"] == len(names) + 2  # and the curves and the lanes


def test_a_run_without_alarm_gets_an_overview(tmp_path: Path) -> None:
    writer = RunWriter(tmp_path / "quiet")
    for step in range(90):
        writer.append(Record(step, values={"reward/mean": 0.01 * step + 0.02 * (step % 3)}))
    writer.finish()
    case = open_case(tmp_path / "quiet")
    page = Page(to_html(case))
    assert "No alarm" in page.text and "No detector raised anything" in page.text
    assert "the reward did not collapse" in page.text
    assert "All alarms" not in page.text and "All signals" in page.text
    assert to_markdown(case).startswith("# No alarm: quiet\n")


def test_hostile_names_and_samples_are_inert_and_cut_in_html(hostile: Path) -> None:
    text = to_html(open_case(hostile))
    page = Page(text)
    assert page.elements["script"] == 0 and page.elements["img"] == 0
    assert SCRIPT in page.text
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)
    assert "␛[31m␀\\u202exxx" in page.text and "characters cut" in page.text
    assert len(text) < 400_000


def test_hostile_names_and_samples_are_inert_and_cut_in_markdown(hostile: Path) -> None:
    text = to_markdown(open_case(hostile))
    outside = re.sub(r"(?ms)^(`{3,})text\n.*?^\1$|(`+)(?:(?!\2).)+\2", "", text)
    assert "<" not in outside.replace("\\<", "")
    assert not re.search("[\x00-\x09\x0b-\x1f\u202e]", text)
    assert len(text) < LONGEST + 200


def test_the_markdown_has_the_evidence_the_curves_and_the_set_up(collapse: Any) -> None:
    text = to_markdown(collapse)
    assert text.startswith(f"# Alarm at step {collapse.alarm.step}: collapse\n")
    assert "| `policy/entropy` | `▁" in text
    assert "\nbonus_rate: 0.003\n" in text
    assert text.index("## Which signals") < text.index("## All alarms") < text.index("## Config")


def test_secrets_are_in_neither_form(tmp_path: Path) -> None:
    config = {"hub": {"token": "hunter22"}, "max_tokens": 4096}
    command = ["python", "train.py", "--wandb-key", "hunter22", "--note", "sk-hunter22hunter22"]
    writer = RunWriter(
        tmp_path / "run", {"config": config, "command": command, "db_url": "p://u:hunter22@h"}
    )
    writer.append(Record(1, values={"reward/mean": 1.0}))
    writer.sample(1, [{"response": "export API_KEY=hunter22"}])
    writer.finish()
    case = open_case(tmp_path / "run")
    for text in (to_html(case), to_markdown(case)):
        assert "hunter22" not in text
        assert "4096" in text and "hub.token" in text


def test_a_name_that_is_not_utf_8_can_be_written(tmp_path: Path) -> None:
    log = Path(str(tmp_path / "a") + b"\xff.jsonl".decode("utf-8", "surrogateescape"))
    log.write_text("".join(f'{{"step": {step}, "reward": 1}}\n' for step in range(30)))
    case = open_case(log)
    assert "a\\udcff.jsonl" in to_html(case).encode("utf-8").decode()
    to_markdown(case).encode("utf-8")


def test_a_line_of_blocks_keeps_a_spike_and_marks_what_is_not_finite() -> None:
    values = [0.0] * 100 + [7.0] + [0.0] * 19
    records = [Record(step, values={"a": value}) for step, value in enumerate(values)]
    drawn = line("a", records)  # 120 records as 60 blocks
    assert (len(drawn), drawn[50], drawn.count("█")) == (60, "█", 1)
    broken = [Record(1, values={"a": 1.0}), Record(2, values={"a": float("nan")}), Record(3)]
    assert line("a", broken) == "▅\u00d7 "


def test_text_cannot_leave_its_code_or_its_sentence() -> None:
    assert code("a``b") == "``` a``b ```"
    assert fenced("```\nx") == "````text\n```\nx\n````"
    assert prose("@all [x](y) <b>") == "\\@all \\[x\\](y) \\<b\\>"
    assert prose("clip_frac _loud_") == "clip_frac \\_loud\\_"

"""What a panel draws of a long, a resumed and a strangely named series."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

from collapse_lab.figure import draw, draw_small
from collapse_lab.records import Alarm, Record

SVG = "{http://www.w3.org/2000/svg}"


def path_of(svg: str) -> str:
    (path,) = ET.fromstring(svg).iter(f"{SVG}path")
    return path.attrib["d"]


def test_a_spike_outlives_the_thinning_of_a_long_series() -> None:
    records = [Record(step, values={"a": 0.0}) for step in range(100_000)]
    records[54_321] = Record(54_321, values={"a": 1.0})
    path = path_of(draw_small("a", records, None, None))
    rows = {row for _, row in re.findall(r"[ML](\S+) (\S+)", path)}
    assert rows == {"50.0", "6.0"}  # zero at the bottom of 56 pixels, one at the top
    assert path.count("L") < 4 * 260


def test_the_pen_is_lifted_where_the_run_was_resumed() -> None:
    steps = [1, 2, 3, 4, 2, 3, 4, 5]
    records = [Record(step, values={"a": float(step)}) for step in steps]
    assert path_of(draw(records, None, names=["a"])).count("M") == 2


def test_a_constant_lies_in_the_middle_however_large() -> None:
    for value in (0.0, 1.0, -1e30, 1e16):
        records = [Record(step, values={"a": value}) for step in range(3)]
        rows = re.findall(r"[ML]\S+ (\S+)", path_of(draw_small("a", records, None, None)))
        assert rows == ["28.0"] * 3  # of 56 pixels


def test_another_attempt_is_faint_beneath_and_within_the_scale() -> None:
    records = [Record(step, values={"a": 1.0}) for step in range(5)]
    other = [Record(step, values={"a": 3.0}) for step in range(2, 5)]
    svg = draw(records, None, names=["a"], others=[other])
    beneath, firm = ET.fromstring(svg).iter(f"{SVG}path")
    assert (beneath.attrib["class"], firm.attrib["class"]) == ("stroke-faint", "stroke-line")
    heights = [re.findall(r" (\S+)", path.attrib["d"])[0] for path in (beneath, firm)]
    assert float(heights[0]) < float(heights[1])
    assert "another attempt" in svg and "another attempt" not in draw(records, None, names=["a"])


def test_a_long_legend_goes_on_in_a_second_row() -> None:
    steps = (10_000_000, 10_000_010, 10_000_020, 10_000_030, 10_000_040)
    notices = [Alarm(step, "watch", "cusum", "", step, (step, step)) for step in steps]
    firm = Alarm(
        10_000_100, "alarm", "test", "", 10_000_050, (10_000_040, 10_000_060), (), 9_999_999
    )
    records = [Record(step, values={"a": 1.0}) for step in (10_000_000, 10_000_100)]
    svg = ET.fromstring(draw(records, firm, earlier=notices, names=["a"]))
    width = float(svg.attrib["viewBox"].split()[2])
    keys = [text for text in svg.iter(f"{SVG}text") if text.text and "step" in text.text[1:]]
    assert len({text.attrib["y"] for text in keys}) == 2
    assert all(float(key.attrib["x"]) + 6.3 * len(key.text or "") < width for key in keys)
    first, second = (float(key.attrib["x"]) for key in keys[:2])
    assert second - first > 7.6 * len("0000040-10000060") + 6 * len("began, step 1")


def test_a_name_with_control_characters_is_still_xml() -> None:
    name = "a\x00\x1b<b>&" + "x" * 10**5
    svg = draw([Record(1, values={name: 1.0}), Record(2, values={name: 2.0})], None, names=[name])
    text = "".join(ET.fromstring(svg).itertext())
    assert "a␀␛<b>&xxx" in text and len(svg) < 5000

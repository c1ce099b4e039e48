"""Pages of which a part is written by a benchmark."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import marked

LEFT, RIGHT = Path("left.md"), Path("right.md")


def test_each_block_stands_between_its_marks_and_the_rest_is_left_alone() -> None:
    pages = {
        LEFT: "by hand\n<!-- a:begin -->\nold\n<!-- a:end -->\nand\n",
        RIGHT: "<!-- b:begin -->\n<!-- b:end -->\n",
    }
    once = marked.fill(pages, {"a": "new", "b": r"1 \1 {}"})
    assert once == {
        LEFT: "by hand\n<!-- a:begin -->\n\nnew\n\n<!-- a:end -->\nand\n",
        RIGHT: "<!-- b:begin -->\n\n1 \\1 {}\n\n<!-- b:end -->\n",
    }
    assert marked.fill(once, {"a": "new"}) == once


@pytest.mark.parametrize(
    "pages",
    [
        {LEFT: ""},
        {LEFT: "<!-- a:begin -->"},
        {LEFT: "<!-- a:begin --><!-- a:end -->", RIGHT: "<!-- a:begin --><!-- a:end -->"},
    ],
)
def test_pages_without_the_marks_or_with_two_are_not_written(pages: dict[Path, str]) -> None:
    with pytest.raises(SystemExit, match="once"):
        marked.fill(pages, {"a": "new"})


def test_where_one_part_has_no_place_nothing_is_written(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("<!-- a:begin -->old<!-- a:end -->")
    with pytest.raises(SystemExit):
        marked.write([page], {"a": "new", "b": "new"})
    assert page.read_text() == "<!-- a:begin -->old<!-- a:end -->"
    marked.write([page], {"a": "new"})
    assert page.read_text() == "<!-- a:begin -->\n\nnew\n\n<!-- a:end -->"

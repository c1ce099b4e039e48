from __future__ import annotations

import pytest

from collapse_lab.dashboards.query import Heading, Query, answer
from collapse_lab.dashboards.summary import Summary

ROWS = [
    Summary("a", health="quiet", algorithm="grpo", task="put", lead=3, last_time=1),
    Summary("b", health="critical", algorithm="gspo", task="heat", state="running", last_time=2),
    Summary("c", health="alarm", algorithm="grpo", task="heat", mechanism="entropy down", lead=-2),
]


def names(view: dict[str, str], sort: str = "name", down: bool = False) -> list[str]:
    order = {"sort": f"-{sort}" if down else sort}
    return [row.name for row in answer(ROWS, Query.of(view | order)).rows]


def test_words_are_found_anywhere_and_all_of_them() -> None:
    assert names({"q": "ENTROPY grpo"}) == ["c"]
    assert names({"q": "entropy gspo"}) == []


def test_a_field_is_asked_for_by_its_name() -> None:
    assert names({"q": "algorithm:grpo task:heat"}) == ["c"]
    assert names({"q": "nofield:grpo"}) == []


@pytest.mark.parametrize("sort", ["spark", "-spark", "to_dict", "__class__", "-", ""])
def test_a_column_that_nothing_is_ordered_by_leaves_the_newest_first(sort: str) -> None:
    old, new = (Summary(str(at), spark=(None, 0.1 * at), last_time=at) for at in (1, 2))
    assert answer([old, new], Query.of({"sort": sort})).rows == [new, old]


def test_the_worst_come_first_and_rows_without_a_value_last() -> None:
    assert names({}, "health", down=True) == ["a", "c", "b"]
    assert names({}, "health") == ["b", "c", "a"]
    assert names({}, "lead") == ["c", "a", "b"]
    assert names({}, "lead", down=True) == ["a", "c", "b"]


def test_a_column_that_does_not_exist_sorts_nothing() -> None:
    assert names({}, "__class__", down=True) == ["b", "a", "c"]  # the newest first


def test_groups_have_headings_and_fold() -> None:
    found = answer(ROWS, Query.of({"group": "task", "closed": "heat"}))
    assert [row.name for row in found.rows] == ["heat", "put", "a"]
    heading = found.rows[0]
    assert isinstance(heading, Heading)
    assert heading.shown()["mechanism"] == "1 critical, 1 alarm" and found.runs == 3


def test_only_what_is_asked_for_is_shown() -> None:
    assert names({"only": "alarmed"}) == ["b", "c"]
    assert names({"only": "running"}) == ["b"]


def test_what_could_not_be_judged_is_not_shown_as_quiet_and_says_so() -> None:
    rows = [
        Summary("quiet", health="quiet", task="put"),
        Summary("noticed", health="watch", task="put"),
        Summary("empty", health="nothing", task="put"),
        Summary("waiting", health="unjudged", task="put"),
    ]
    assert [row.name for row in answer(rows, Query(only="quiet")).rows] == ["quiet", "noticed"]
    asked = Query.of({"q": "nothing to judge"})
    assert [row.name for row in answer(rows, asked).rows] == ["empty"]
    found = answer(rows, Query(group="task", sort="name", descending=False)).block(0, 5, 0.0)
    assert found[0]["mechanism"] == "1 watch, 1 quiet, 1 nothing to judge, 1 not judged"
    assert {row["name"]: row["judged"] for row in found[1:]} == {
        "quiet": "quiet", "noticed": "watch", "empty": "nothing to judge", "waiting": "not judged",
    }  # fmt: skip

"""The table's filter, order and groups over summaries: pure, so that its speed can be measured."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from collapse_lab.dashboards.summary import Summary
from collapse_lab.records import SEVERITIES

GROUPS = {"task": "Task", "algorithm": "Algorithm", "framework": "Framework", "state": "State"}
FIELDS = (
    "name", "state", "health", "framework", "algorithm", "task", "mechanism", "label", "title",
)  # fmt: skip
WORST_FIRST = (*reversed(SEVERITIES), "quiet", "unjudged")


@dataclass(frozen=True, slots=True)
class Query:
    """`words` must all be found; `fields` are pairs such as ("algorithm", "grpo"). `closed` names
    the groups that are folded."""

    words: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    only: str = ""
    group: str = ""
    closed: frozenset[str] = frozenset()
    sort: str = "changed"
    descending: bool = True

    @classmethod
    def of(cls, view: Mapping[str, str], request: Mapping[str, Any]) -> Query:
        """From a page's view and what the grid asks for (its order)."""
        words: list[str] = []
        fields: list[tuple[str, str]] = []
        for word in (view.get("q") or "").casefold().split():
            field, colon, value = word.partition(":")
            if colon and field in FIELDS:
                fields.append((field, value))
            else:
                words.append(word)
        sort = next(iter(request.get("sortModel") or ()), {"colId": "changed", "sort": "desc"})
        return cls(
            tuple(words),
            tuple(fields),
            view.get("only") or "",
            view.get("group") or "",
            frozenset((view.get("closed") or "").split(",")) - {""},
            sort["colId"] if sort["colId"] in Summary.__dataclass_fields__ else "changed",
            sort["sort"] == "desc",
        )


@dataclass(frozen=True, slots=True)
class Answer:
    """`rows` for the grid, group headings among them; `runs` counts the runs that match."""

    rows: list[dict[str, Any]]
    runs: int


ONLY: dict[str, Callable[[Summary], bool]] = {
    "running": lambda row: row.going,
    "alarmed": lambda row: row.health in ("critical", "alarm"),
    "quiet": lambda row: row.health in ("quiet", "watch"),
    "ended": lambda row: not row.going,
}


def answer(summaries: Iterable[Summary], query: Query, now: float) -> Answer:
    """What the table shows."""
    kept = [row for row in summaries if matches(row, query)]
    kept.sort(key=lambda row: _key(row, query.sort), reverse=query.descending)
    # rows without a value come last in either order
    kept.sort(key=lambda row: _value(row, query.sort) is None)
    if query.group not in GROUPS:
        return Answer([_shown(row, now) for row in kept], len(kept))
    groups: dict[str, list[Summary]] = {}
    for row in kept:
        groups.setdefault(getattr(row, query.group) or "none", []).append(row)
    rows: list[dict[str, Any]] = []
    for name, members in sorted(groups.items()):
        folded = name in query.closed
        rows.append(_heading(name, members, folded))
        if not folded:
            rows += [_shown(row, now) for row in members]
    return Answer(rows, len(kept))


def matches(row: Summary, query: Query) -> bool:
    """Whether a run is asked for."""
    if query.only in ONLY and not ONLY[query.only](row):
        return False
    if any(not str(getattr(row, field)).casefold().startswith(v) for field, v in query.fields):
        return False
    if not query.words:
        return True
    text = "\n".join([str(getattr(row, field)) for field in FIELDS]).casefold()
    return all(word in text for word in query.words)


def _value(row: Summary, field: str) -> Any:
    value = getattr(row, field)
    return None if value is None or value == "" or value == () else value


def _key(row: Summary, field: str) -> Any:
    value = _value(row, field)
    if field == "health":
        return -WORST_FIRST.index(row.health)
    if isinstance(value, str):
        return value.casefold()
    if isinstance(value, (int, float)):
        return value
    # of one type within a column: absent ones are moved to the end afterwards
    return "" if isinstance(getattr(_EMPTY, field), str) else -math.inf


_EMPTY = Summary("")


def _shown(row: Summary, now: float) -> dict[str, Any]:
    shown = row.to_dict()
    shown["id"] = row.name
    shown["age"] = max(now - row.changed, 0.0)
    return shown


def _heading(name: str, members: Sequence[Summary], folded: bool) -> dict[str, Any]:
    healths = Counter(row.health for row in members)
    counts = ", ".join(f"{healths[health]} {health}" for health in WORST_FIRST if healths[health])
    return {
        "id": f"group {name}", "name": name, "group": True, "folded": folded,
        "count": len(members), "mechanism": counts,
    }  # fmt: skip

"""The table's filter, order and groups over summaries: pure, so that its speed can be measured."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from collapse_lab.dashboards.summary import HEALTH, Summary
from collapse_lab.inert import inert

GROUPS = {"task": "Task", "algorithm": "Algorithm", "framework": "Framework", "state": "State"}
FIELDS = (
    "name", "state", "health", "framework", "algorithm", "task", "mechanism", "label", "title",
)  # fmt: skip
TEXTS: Callable[[Summary], tuple[str, ...]] = attrgetter(*FIELDS)
WORST_FIRST = tuple(HEALTH)
NEWEST_FIRST = "-last_time"
SORTED = set(Summary.__dataclass_fields__) - {"spark"}
"""A spark has stretches without a number, which no order is known for."""


@dataclass(frozen=True, slots=True)
class Query:
    """`words` must all be found; `fields` are pairs such as ("algorithm", "grpo"). `closed` names
    the groups that are folded."""

    words: tuple[str, ...] = ()
    fields: tuple[tuple[str, str], ...] = ()
    only: str = ""
    group: str = ""
    closed: frozenset[str] = frozenset()
    sort: str = "last_time"
    descending: bool = True

    @classmethod
    def of(cls, view: Mapping[str, str]) -> Query:
        """From a page's view; its "sort" is a column, with a "-" before it for downward."""
        words: list[str] = []
        fields: list[tuple[str, str]] = []
        for word in (view.get("q") or "").casefold().split():
            field, colon, value = word.partition(":")
            if colon and field in FIELDS:
                fields.append((field, value))
            else:
                words.append(word)
        order = view.get("sort") or ""
        if order.removeprefix("-") not in SORTED:
            order = NEWEST_FIRST
        return cls(
            tuple(words),
            tuple(fields),
            view.get("only") or "",
            view.get("group") or "",
            frozenset((view.get("closed") or "").split(",")) - {""},
            order.removeprefix("-"),
            order.startswith("-"),
        )


@dataclass(frozen=True, slots=True)
class Heading:
    """The row above a group's runs."""

    name: str
    members: Sequence[Summary]
    folded: bool

    def shown(self) -> dict[str, Any]:
        healths = Counter(row.health for row in self.members)
        counts = [f"{healths[health]} {text}" for health, text in HEALTH.items() if healths[health]]
        return {
            "id": f"group {self.name}", "name": self.name, "shown": inert(self.name),
            "group": True, "folded": self.folded, "count": len(self.members),
            "mechanism": ", ".join(counts),
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Answer:
    """All rows of the table, group headings among them; `runs` counts the runs that match."""

    rows: list[Summary | Heading]
    runs: int

    def block(self, start: int, end: int, now: float) -> list[dict[str, Any]]:
        """Some rows as the grid takes them."""
        return [row.shown() if isinstance(row, Heading) else _shown(row, now)
                for row in self.rows[start:end]]  # fmt: skip


ONLY: dict[str, Callable[[Summary], bool]] = {
    "running": lambda row: row.going,
    "alarmed": lambda row: row.health in ("critical", "alarm"),
    "quiet": lambda row: row.health in ("quiet", "watch"),
    "ended": lambda row: not row.going,
}


def answer(summaries: Iterable[Summary], query: Query) -> Answer:
    """What the table shows."""
    kept = [row for row in summaries if matches(row, query)]
    order = [_value(row, query.sort) for row in kept]
    told = [(value, k) for k, value in enumerate(order) if value is not None]
    told.sort(key=lambda pair: pair[0], reverse=query.descending)
    # rows without a value come last in either order
    silent = [k for k, value in enumerate(order) if value is None]
    kept = [kept[k] for k in (*(k for _, k in told), *silent)]
    if query.group not in GROUPS:
        return Answer([*kept], len(kept))
    groups: dict[str, list[Summary]] = {}
    for row in kept:
        groups.setdefault(getattr(row, query.group) or "none", []).append(row)
    rows: list[Summary | Heading] = []
    for name, members in sorted(groups.items()):
        folded = name in query.closed
        rows += [Heading(name, members, folded), *(() if folded else members)]
    return Answer(rows, len(kept))


def matches(row: Summary, query: Query) -> bool:
    """Whether a run is asked for."""
    if query.only in ONLY and not ONLY[query.only](row):
        return False
    if any(not str(getattr(row, field)).casefold().startswith(v) for field, v in query.fields):
        return False
    if not query.words:
        return True
    text = "\n".join((*TEXTS(row), HEALTH[row.health])).casefold()
    return all(word in text for word in query.words)


def _value(row: Summary, field: str) -> Any:
    """What a row is ordered by; None where it has nothing there."""
    if field == "health":
        return WORST_FIRST.index(row.health)
    value = getattr(row, field)
    if value is None or value == "" or value == ():
        return None
    return value.casefold() if isinstance(value, str) else value


def _shown(row: Summary, now: float) -> dict[str, Any]:
    return row.to_dict() | {
        "id": row.name,
        "shown": inert(row.name),
        "judged": HEALTH[row.health],
        "age": max(now - row.last_time, 0.0),
    }

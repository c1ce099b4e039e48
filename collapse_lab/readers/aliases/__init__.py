"""Names: each framework's metric keys -> the canonical signals of `collapse_lab.signals`.

A table is data: `source key -> canonical name`, most trusted first. A key may hold `*` for a
part that varies (`rewards/*/mean`). Nothing is matched by substring: a key in no table keeps its
own name and is listed as unmapped.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache

from collapse_lab.readers.aliases.classic import CLASSIC
from collapse_lab.readers.aliases.llm import LLM
from collapse_lab.signals import SIGNALS

UNKNOWN = "unknown"
_KEY_SETS = 1000
"""Sets of keys remembered; logs whose keys change with every line must not fill the memory."""
VARIANTS = {"trl": "trl-async"}
"""Framework -> its other table, which holds for a log with keys that only that one has."""
_OPEN = re.compile(r"\w+/\*")
ALIASES: dict[str, dict[str, str]] = {**LLM, **CLASSIC, "collapse-lab": {n: n for n in SIGNALS}}


class Names:
    """Translates the keys of one log and remembers what it decided.

    Two keys of one log may stand for the same signal (verl's `actor/entropy` and
    `actor/entropy_loss`). The one higher in the table takes it when both come together; after
    that the choice stays, so that a series never changes its source, and the other key keeps its
    own name. A key that already has a canonical name keeps it, unless another key has taken it.
    """

    def __init__(self, framework: str | None) -> None:
        self.framework = framework
        self.sources: dict[str, str] = {}
        """canonical name -> the key that it is read from"""
        self.unmapped: dict[str, None] = {}
        """keys in no table, in the order in which they appeared"""
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def rename(self, values: Mapping[str, float]) -> dict[str, float]:
        """The values under canonical names, in the same order."""
        return dict(zip(self._names(tuple(values)), values.values(), strict=True))

    def translate(self, keys: Iterable[str]) -> dict[str, str]:
        """key -> canonical name, or the key itself."""
        keys = tuple(keys)
        return dict(zip(keys, self._names(keys), strict=True))

    def _names(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        """Names of keys; remembered, for a log states the same keys at every step."""
        names = self._known.get(keys)
        if names is None:
            names = self._decide(keys)
            if len(self._known) >= _KEY_SETS:
                self._known.clear()
            self._known[keys] = names
        return names

    def _decide(self, keys: tuple[str, ...]) -> tuple[str, ...]:
        told = _variant(self.framework or guess(keys), keys)
        if told != self.framework:
            self.framework = told
            self._known.clear()
            foreign = [key for key in self.unmapped if _rank(told or UNKNOWN, key)[1] is None]
            self.unmapped = dict.fromkeys(foreign)
        table = self.framework or UNKNOWN
        names: dict[str, str] = {}
        for key in sorted(keys, key=lambda key: _rank(table, key)[0]):
            canonical = _rank(table, key)[1]
            if canonical is None and key in SIGNALS:
                canonical = key
            if canonical is None:
                self.unmapped[key] = None
                names[key] = key
            elif self.sources.setdefault(canonical, key) == key:
                names[key] = canonical
            else:
                names[key] = f"{table}:{key}" if key in SIGNALS else key
        return tuple(names[key] for key in keys)


def guess(keys: Iterable[str]) -> str | None:
    """The framework whose table knows the most of these keys; None while they could be anyone's.

    Two keys must fit, or all there are where only one table knows them. Names that home-grown
    loops use as well say nothing of the framework, nor does what fits `eval/*`.
    """
    keys = set(keys)
    tables = [name for name in ALIASES if name not in VARIANTS.values()]
    score = {name: sum(_tells(name, key) for key in keys) for name in tables}
    best = max(score, key=lambda name: (score[name], name == UNKNOWN))
    alone = score[best] == len(keys) and sum(map(bool, score.values())) == 1
    return best if score[best] >= 2 or (keys and alone) else None


def _variant(framework: str | None, keys: Iterable[str]) -> str | None:
    """The framework, or the variant of it that alone has some of these keys."""
    other = VARIANTS.get(framework or "")
    if framework is None or other is None:
        return framework
    own = any(_find(other, key)[1] and not _find(framework, key)[1] for key in keys)
    return other if own else framework


def _tells(framework: str, key: str) -> bool:
    """Whether a table has this key, by more than a first word that many use."""
    position, canonical = _find(framework, key)
    return canonical is not None and not _OPEN.fullmatch([*ALIASES[framework]][position])


def _rank(framework: str, key: str) -> tuple[int, str | None]:
    """Position and canonical name in the framework's table, else in the one of common names.

    People add numbers of their own to a framework's log.
    """
    position, canonical = _find(framework, key)
    if canonical is None and framework != UNKNOWN:
        beside, canonical = _find(UNKNOWN, key)
        position += beside
    return position, canonical


@lru_cache(maxsize=100_000)
def _find(framework: str, key: str) -> tuple[int, str | None]:
    """Position in one table and the canonical name; (its length, None) when it lacks the key."""
    table = ALIASES.get(framework, {})
    if key in table:
        return list(table).index(key), table[key]
    for position, (pattern, canonical) in enumerate(table.items()):
        if "*" in pattern and _matcher(pattern).fullmatch(key):
            return position, canonical
    return len(table), None


@cache
def _matcher(pattern: str) -> re.Pattern[str]:
    return re.compile(".+".join(re.escape(part) for part in pattern.split("*")))

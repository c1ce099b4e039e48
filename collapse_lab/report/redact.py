"""Settings as they were given, without what must not leave the machine.

A report is attached to an issue, so a secret is masked by the name it stands under and by its own
look. Under `max_tokens` or `pad_key` numbers and switches are none; under `password` everything is.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

MASK = "•••"
_SECRET = re.compile(r"passw|passphrase|pwd\b|secret|credential|private", re.I)
_GUARDED = re.compile(r"token|key|auth|cookie|session|dsn|webhook|sas\b|use_wandb", re.I)
"""Names of secrets, and names that are also those of harmless numbers and switches. OpenRLHF's
`use_wandb` takes the key itself (`cli/train_ppo_ray.py`)."""
_TELLING = re.compile(
    r"\b(?:hf_|gh[pousr]_|github_pat_|sk-|xox[abprs]-|glpat-|AKIA|ASIA|AIza|eyJ)[\w.-]{10,}"
    r"|(?<=://)[^/\s:@]{1,200}:[^/\s@]{1,200}(?=@)"
)
_ASSIGNED = re.compile(r"(?<![\w.-])([\w.-]{1,64})([\"']?\s?[=:]\s?[\"']?)([^\s,;&\"']+)")
MOST_DEPTH = 12


def settings(config: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """(dotted name, value as text) of every leaf, in the order they were given, secrets masked.

    >>> dict(settings({"lr": 1e-6, "hub": {"token": "abc", "max_tokens": 64}, "seeds": [1, 2]}))
    {'lr': '1e-06', 'hub.token': '•••', 'hub.max_tokens': '64', 'seeds': '[1, 2]'}
    """
    if isinstance(config, Mapping) and config and name.count(".") < MOST_DEPTH:
        for key, value in cast(Mapping[Any, Any], config).items():
            yield from settings(value, f"{name}.{key}" if name else str(key))
    else:
        yield name, MASK if is_secret(name, config) else masked(_text(config))


def is_secret(name: str, value: Any) -> bool:
    """Whether a value under this name may be one that opens a door."""
    if value is None or value == "":
        return False
    harmless = isinstance(value, int | float)
    return bool(_SECRET.search(name) or (_GUARDED.search(name) and not harmless))


def masked(text: str) -> str:
    """Free text with what looks like a secret masked: known prefixes, passwords in addresses, and
    what is assigned to a telling name.

    >>> masked("WANDB_API_KEY=0123abc python a.py --lr 1 https://me:pw@host/x")
    'WANDB_API_KEY=••• python a.py --lr 1 https://•••@host/x'
    """
    return _TELLING.sub(MASK, _ASSIGNED.sub(_mask_assigned, text))


def command(words: Sequence[str] | str) -> str:
    """A command line as a shell takes it, secrets masked, also those that follow their option.

    >>> command(["python", "a.py", "--hf-token", "abc", "--max-tokens", "64"])
    'python a.py --hf-token ••• --max-tokens 64'
    """
    if isinstance(words, str):
        return masked(words)
    shown: list[str] = []
    before = ""
    for word in words:
        secret = before.startswith("-") and "=" not in before and is_secret(before, _number(word))
        shown.append(MASK if secret and not word.startswith("-") else shlex.quote(word))
        before = word
    return masked(" ".join(shown))


def _mask_assigned(match: re.Match[str]) -> str:
    name, sign, value = match.groups()
    # "the key: red" is prose, api_key: red is not
    assigned = "=" in sign or "_" in name or _SECRET.search(name)
    return f"{name}{sign}{MASK}" if assigned and is_secret(name, _number(value)) else match[0]


def _number(text: str) -> Any:
    try:
        return float(text)
    except ValueError:
        return None if text.lower() in ("true", "false", "null", "none") else text


def _text(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value if isinstance(value, str) else repr(value)

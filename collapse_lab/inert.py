"""Text from elsewhere made harmless to look at: names, samples and settings are what a run says.

What a terminal, an editor or a browser would act on (control characters, marks that turn the
direction of writing, halves of broken encodings) becomes visible, and what is long is cut, so
that a name of a megabyte is a line. Escaping for HTML or Markdown is left to who writes those.
"""

from __future__ import annotations

import re

SHORT = 120
CONTROL_PICTURES = 0x2400
_LIVE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\uffff\ud800-\udfff]"
)


def inert(text: str, most: int = SHORT, lines: bool = False) -> str:
    r"""The text as about `most` characters that do nothing; `lines` keeps line ends and tabs.

    >>> inert("a\x1b[31mb\u202ec")
    'a␛[31mb\\u202ec'
    >>> inert("x" * 1000, most=30)
    'xxxxxxxxxxxxxxxxxxxx … 970 characters cut … xxxxxxxxxx'
    """
    if len(text) > most:
        head, tail = most - most // 3, most // 3
        middle = f" … {len(text) - most} characters cut … "
        return (
            inert(text[:head], most, lines) + middle + inert(text[len(text) - tail :], most, lines)
        )
    return _LIVE.sub(lambda match: _seen(match[0], lines), text)


def _seen(character: str, lines: bool) -> str:
    code = ord(character)
    if lines and character in "\n\t":
        return character
    if code < 0x20:
        return chr(CONTROL_PICTURES + code)
    return f"\\u{code:04x}"

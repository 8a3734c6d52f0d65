"""Make text from outside fit to be kept.

JSON may carry a NUL and halves of surrogate pairs; databases, files and answers cannot. Such a
character means nothing to anybody, so it becomes the replacement character; all others stay byte
for byte.
"""

from __future__ import annotations

import json
import re
from typing import Any

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


def loads(content: bytes | str) -> Any:
    """Return a JSON document whose every string can be stored; raises ValueError for what is not JSON.

    Python's reader also takes NaN and Infinity, and numbers beyond any column: those are no JSON.
    """
    document = json.loads(content, parse_constant=_refuse, parse_float=_finite)
    return _storable(document) if _may_hold_worse(content) else document


def _may_hold_worse(content: bytes | str) -> bool:
    """Return whether a JSON text is worth looking through: what cannot be stored is escaped there, or a surrogate."""
    if isinstance(content, str):
        return "\\u" in content or _UNSTORABLE.search(content) is not None
    # 0xED begins surrogates in UTF-8, and some of Hangul; NUL is in every JSON of UTF-16 and UTF-32, and in no other.
    return b"\\u" in content or b"\xed" in content or b"\x00" in content


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float | None:
    number = float(text)
    return number if abs(number) != float("inf") else None


def _storable(value: Any) -> Any:
    if isinstance(value, str):
        return _UNSTORABLE.sub("\ufffd", value) if _UNSTORABLE.search(value) else value
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value

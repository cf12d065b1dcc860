"""Lengths of time as operators write them: ``90``, ``90s``, ``5m``, ``4h``, ``5d``."""

from __future__ import annotations

import re

__all__ = ["MOST", "UNITS", "duration_text", "read_duration"]

UNITS = {"d": 86_400, "h": 3600, "m": 60, "s": 1}

MOST = 10_000 * 86_400
"""Seconds of the longest: 27 years, so that the times that they lead to can be written as dates."""


def read_duration(text: str, *, least: int = 0) -> int:
    """The seconds of a length of time.

    :param least: the fewest seconds.
    :raises ValueError: the text is none, or is too short or too long; the error says what to write.
    """
    match = re.fullmatch(r"([0-9]{1,9})([smhd]?)", text, re.ASCII)
    if match is None:
        raise ValueError("must be a length of time: seconds such as 90, or 90s, 5m, 4h or 5d")
    seconds = int(match[1]) * UNITS[match[2] or "s"]
    if seconds < least:
        raise ValueError(f"must be at least {duration_text(least)}")
    if seconds > MOST:
        raise ValueError(f"must be at most {duration_text(MOST)}")
    return seconds


def duration_text(seconds: float) -> str:
    """The shortest text that `read_duration` reads; whole seconds."""
    whole = round(seconds)
    unit, length = next((each for each in UNITS.items() if whole % each[1] == 0 and whole), ("s", 1))
    return f"{whole // length}{unit}"

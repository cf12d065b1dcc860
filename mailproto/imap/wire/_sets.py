"""Sequence sets where a command has them."""

from __future__ import annotations

import re

from mailproto.imap.wire._cursor import Cursor
from mailproto.imap.wire._sequence_set import SequenceSet

__all__ = ["sequence_set"]

_SET = re.compile(rb"[0-9:,*]++")


def sequence_set(cursor: Cursor) -> SequenceSet:
    """``SP sequence-set``."""
    cursor.space()
    return SequenceSet.parse(cursor.expect(_SET, "a sequence set")[0])

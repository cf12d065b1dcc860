"""FETCH responses in the form that most servers write: many are read in one step.

What is in any other form is read line by line (`_client_wire`), with the same result.
"""

from __future__ import annotations

import re
from typing import Final

from mailproto.imap.wire._answers import Data
from mailproto.imap.wire._client_limits import IMAPClientLimits

__all__ = ["AFTER_LITERAL", "MOST_AT_ONCE", "UID_IN_FETCH", "usual_fetches"]

MOST_AT_ONCE: Final = 100
"""Responses that are one event at most: others wait for their turn meanwhile."""

# Items with short values that servers write before the UID.  (No possessive repetition of groups: before
# Python 3.11.5 it is wrong where the group goes back.)
_UID: Final = (
    rb'\((?:[A-Za-z0-9.\-]{1,40}+ (?:[0-9]{1,20}+|\([^()"{\r\n]{0,1000}+\)|"[^"\\\r\n]{0,100}+") ){0,10}'
    rb"UID ([0-9]{1,10}+)"
)
UID_IN_FETCH: Final = re.compile(_UID + rb"(?=[ )])")
"""Finds the UID in the text of a response in the usual form."""

_RESPONSE: Final = re.compile(
    rb"\* ([0-9]{1,10}+) FETCH ("
    + _UID
    + rb'(?: [^\r\n"{]*+\{([0-9]{1,10}+)\}\r\n'  # a literal at the end, and nothing that has quotes before it
    + rb"|(?=[ )])[^\n]*+(?<=\)\r)\n))"
)

_END: Final = b")\r\n"
AFTER_LITERAL: Final = len(_END)
"""Octets after the literal of a usual response."""

_new = tuple.__new__  # a NamedTuple's own is a function of Python


def usual_fetches(
    buffer: bytes, position: int, limits: IMAPClientLimits, longest: int, answers: list[Data], uids: list[int]
) -> tuple[int, int]:
    """Read the responses that are in the usual form, and whole, until there are `MOST_AT_ONCE`.

    :param position: where a line begins.
    :param longest: the most octets of a line.
    :param answers: gets them.
    :param uids: gets the UID of each.
    :returns: the position after them; and, if a response there is not whole but usual so far, how many
        octets of it must be there before it can be read; else 0.
    """
    match = _RESPONSE.match
    in_memory, most = limits.in_memory, limits.response
    while len(uids) < MOST_AT_ONCE and (found := match(buffer, position)) is not None:
        number, text, uid, size = found.groups()
        end = found.end()
        if end - position > longest:
            break
        if size is None:
            answers.append(_new(Data, (int(number), "FETCH", text[:-2], [])))
            position = end
        else:
            stop = end + int(size)
            after = stop + AFTER_LITERAL
            if stop - end > in_memory or after - position > most or not limits.literals:
                break
            rest = buffer[stop:after]
            if rest != _END:
                is_usual = _END.startswith(rest)  # so far
                return position, max(stop, len(buffer) + 1) - position if is_usual else 0
            answers.append(_new(Data, (int(number), "FETCH", text + b")", [buffer[end:stop]])))
            position = after
        uids.append(int(uid))
    return position, 0

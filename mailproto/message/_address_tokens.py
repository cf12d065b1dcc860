"""The tokens of address lists (RFC 5322 3.2 and 4.4), read one at a time, and not many of them."""

from __future__ import annotations

import re

from mailproto.message._fields import unfold
from mailproto.message._tokens import comment_end, unquote

__all__ = [
    "BROKEN",
    "COMMENT",
    "COST_LIMIT",
    "DOTTED",
    "END",
    "LITERAL",
    "QUOTED",
    "SPECIAL",
    "WORD",
    "Token",
    "Tokens",
]

COST_LIMIT = 5000
"""How many tokens are read, where addresses do not have their most common form.

A token costs 1, and 1 more for every 16 octets of it.
"""

DOTTED = rb"[^\x00-\x20()<>@,;:\\\"\[\]\x7f]"
"""A character of an atom, or the dot."""

WORD, QUOTED, LITERAL, SPECIAL, COMMENT, BROKEN, END = range(7)
Token = tuple[int, bytes]

_token = re.compile(
    rb'[ \t\r\n]*+(?:(%b++)|"([^"\\]*+(?:\\.[^"\\]*+)*)"|(.)|\Z)' % DOTTED,
    re.DOTALL,
).match
_literal = re.compile(rb"\[[^\]\\]*+(?:\\.[^\]\\]*+)*\]", re.DOTALL).match


class Tokens:
    """Reads the tokens of ``value``, one at each call of `next`.

    :ivar at: the offset after what was read.
    :ivar cost: how much may still be read.
    :ivar is_cut: whether there was more.
    """

    def __init__(self, value: bytes, at: int, cost: int) -> None:
        self.value = value
        self.at = at
        self.cost = cost
        self.is_cut = False
        self.last_bracket = value.rfind(b"]")

    def next(self) -> Token:
        if self.cost <= 0:
            self.is_cut = True
            return END, b""
        start = self.at
        token = self._next()
        self.cost -= 1 + ((self.at - start) >> 4)
        return token

    def _next(self) -> Token:
        value = self.value
        match = _token(value, self.at)
        if match is None or match.lastindex is None:
            return END, b""
        kind = match.lastindex
        self.at = at = match.end()
        text = match[kind]
        if kind == 1:
            return WORD, text
        if kind == 2:
            return QUOTED, unquote(text)
        if text == b"(":
            stop = comment_end(value, at - 1)
            self.at = len(value) if stop < 0 else stop
            return (BROKEN, b"") if stop < 0 else (COMMENT, unquote(value[at : stop - 1]))
        if text == b"[" and at <= self.last_bracket:
            literal = _literal(value, at - 1)
            self.at = literal.end() if literal else len(value)
            return (LITERAL, unfold(literal[0])) if literal else (BROKEN, text)
        if text == b'"':
            self.at = len(value)
            return BROKEN, text
        return SPECIAL, text

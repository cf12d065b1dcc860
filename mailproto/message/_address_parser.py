"""Reads address lists: tokens in, mailboxes out (RFC 5322 3.4 and its obsolete forms 4.4)."""

from __future__ import annotations

import re
from typing import NamedTuple

from mailproto.message._address_tokens import (
    BROKEN,
    COMMENT,
    COST_LIMIT,
    DOTTED,
    END,
    LITERAL,
    QUOTED,
    SPECIAL,
    WORD,
    Token,
    Tokens,
)
from mailproto.message._steps import Steps
from mailproto.message._tokens import ATEXT

__all__ = ["GROUP_END", "AddressParser", "Mailbox", "has_fault", "plain_mailboxes", "read_simple"]


class Mailbox(NamedTuple):
    """One address structure of ENVELOPE (RFC 9051 7.5.2).

    In the structure that begins a group, only ``local`` is set, to the group's name.  In the
    structure that ends a group, nothing is set.

    :ivar name: the display name, or the last comment next to a bare address, or None.
    :ivar route: an obsolete source route (``@a,@b``), or None.
    """

    name: bytes | None
    route: bytes | None
    local: bytes | None
    host: bytes | None


GROUP_END = Mailbox(None, None, None, None)

_OFTEN = 63  # a bit mask: there is a pause after 64 mailboxes

_COST_AT_ONCE = 500  # of `COST_LIMIT`; there is a pause after it, too

_MISSING_LOCAL = b"MISSING_MAILBOX"
_MISSING_HOST = b"MISSING_DOMAIN"
_SYNTAX_ERROR = b"SYNTAX_ERROR"
_INVALID_ROUTE = b"INVALID_ROUTE"

_A = ATEXT
_HOST = rb"%b++(?:\.%b++)*" % (_A, _A)

# The most common form of a mailbox, with the comma after it; %%b is for a name in quotes.
_SIMPLE = (
    rb'[ \t\r\n]*+(?:(?:"(%%b)"|(%b%b*+(?: %b++)*))? ?<(%b%b*+)@(%b)>|(%b%b*+)@(%b))'
    rb"[ \t\r\n]*+(,|\Z)" % (_A, DOTTED, DOTTED, _A, DOTTED, _HOST, _A, DOTTED, _HOST)
)
_simple = re.compile(_SIMPLE % rb'[^"\\\r\n]*+').match

_SHOWN = rb"[\x21\x23-\x5b\x5d-\x7e]++"
_plain = re.compile(rb"%b|(.+)" % (_SIMPLE % rb"%b(?: %b)*" % (_SHOWN, _SHOWN)), re.DOTALL).findall

_SEPARATORS = ((SPECIAL, b","), (SPECIAL, b";"))

_NOTHING = ((END, b""), (BROKEN, b""))  # the end, or a comment that is not closed


def read_simple(value: bytes, at: int, found: list[Mailbox], limit: int) -> int:
    """Read mailboxes of the most common form into ``found``; return the offset of what is none."""
    while len(found) < limit and (match := _simple(value, at)):
        quoted, phrase, local, host, bare_local, bare_host, comma = match.groups()
        found.append(
            Mailbox(quoted or phrase, None, local, host)
            if local is not None
            else Mailbox(None, None, bare_local, bare_host)
        )
        at = match.end()
        if not comma:
            return len(value)
    return at


def plain_mailboxes(value: bytes) -> list[tuple[bytes, ...]] | None:
    """The mailboxes of a list in ASCII of the most common form, whose names need no change to be shown.

    :returns: for each a name in quotes, or one without, or two empty ones; a local part and a host in
        brackets, or two empty ones; the same two without brackets, or two empty ones; and what is of no
        interest.  None if there is anything else, or no mailbox.
    """
    found: list[tuple[bytes, ...]] = _plain(value) if value.isascii() else []
    return found if found and not found[-1][-1] else None


def has_fault(mailbox: Mailbox) -> bool:
    """Whether a word of ours stands for something that is missing or not valid."""
    return (
        mailbox.local is _MISSING_LOCAL
        or mailbox.host is _MISSING_HOST
        or mailbox.host is _SYNTAX_ERROR
        or mailbox.route is _INVALID_ROUTE
    )


def _no_address(found: list[Mailbox]) -> ValueError:
    """The error for text that is not an address.

    :param found: the mailboxes before that text.
    """
    for _, _, local, host in reversed(found):
        if local is not None and host is not None:
            shown = (local + b"@" + host)[:100].decode("utf-8", "replace")
            return ValueError(f"the text after {shown!r} is not an address")
    return ValueError("the first address is not valid")


def _joined(tokens: list[Token]) -> bytes:
    """Tokens as a name: single blanks between words, none at special characters."""
    pieces: list[bytes] = []
    last = SPECIAL
    for kind, text in tokens:
        if kind != COMMENT and text != b"<":
            pieces += (b" ", text) if SPECIAL not in (kind, last) else (text,)
            last = kind
    return b"".join(pieces)


class AddressParser:
    """Reads tokens; each method moves `at` after what it has read.

    :ivar tokens: those that were needed so far.
    :ivar found: the mailboxes, after those that were found before.
    """

    def __init__(
        self, value: bytes, at: int, found: list[Mailbox], limit: int, strict: bool, goes_on: bool
    ) -> None:
        self.source = Tokens(value, at, 2 * len(value) + 2 if strict else COST_LIMIT)
        self.tokens: list[Token] = []
        self.limit = limit
        self.pause_at = self.source.cost - _COST_AT_ONCE
        self.strict = strict
        self.goes_on = goes_on
        self.at = 0
        self.comment: bytes | None = None
        self.found = found

    def address_list(self) -> Steps[None]:
        if self.is_long():
            yield from self.read_ahead()
        self.skip_commas()
        if self.peek() in _NOTHING:
            return
        while len(self.found) < self.limit:
            whole = len(self.found)
            if not whole & _OFTEN or self.is_long():
                yield from self.read_ahead()
            yield from self.address()
            if self.source.is_cut:
                del self.found[whole:]
                break
            if self.take(b","):
                self.read_simple()
            elif not self.goes_on:
                break
            self.skip_commas()
            kind = self.peek()[0]
            if kind == BROKEN:
                self.found.append(Mailbox(None, None, _MISSING_LOCAL, _MISSING_HOST))
            if kind in (END, BROKEN):
                break

    def is_long(self) -> bool:
        """Whether much has been read since the last pause, or will be read before the next comma."""
        source = self.source
        if source.cost < self.pause_at:
            return True
        value, at = source.value, source.at
        return len(value) - at > _COST_AT_ONCE and value.find(b",", at, at + _COST_AT_ONCE) < 0

    def read_ahead(self) -> Steps[None]:
        """Pause, and read the tokens up to the next comma, which may be very many."""
        source, tokens = self.source, self.tokens
        yield
        self.pause_at = source.cost - _COST_AT_ONCE
        token = tokens[-1] if self.at < len(tokens) else None
        while source.cost > 1:  # what has no room is found by the parser, where it needs it
            if token is not None and (token[0] in (END, BROKEN) or token == (SPECIAL, b",")):
                return
            tokens.append(token := source.next())
            if source.cost < self.pause_at:
                yield
                self.pause_at = source.cost - _COST_AT_ONCE

    def read_simple(self) -> None:
        """After a comma, read mailboxes of the most common form without making tokens of them."""
        if self.at == len(self.tokens):
            source = self.source
            source.at = read_simple(source.value, source.at, self.found, self.limit)

    def skip_commas(self) -> None:
        """Skip empty elements of a list (RFC 5322 4.4); for ENVELOPE, they are shown."""
        while (self.strict and self.take(b",")) or (self.goes_on and (self.take(b",") or self.take(b";"))):
            pass

    def check(self) -> None:
        """Check that everything was an address, and that nothing is left.

        :raises ValueError: something is not an address.
        """
        for place, mailbox in enumerate(self.found):
            if has_fault(mailbox):
                raise _no_address(self.found[:place])
        if self.peek() != (END, b""):
            raise _no_address(self.found)

    def peek(self) -> Token:
        """The next token that is not a comment; the last comment before it is kept."""
        while True:
            if self.at == len(self.tokens):
                self.tokens.append(self.source.next())
            token = self.tokens[self.at]
            if token[0] != COMMENT:
                return token
            self.comment = token[1]
            self.at += 1

    def take(self, special: bytes) -> bool:
        if self.peek() != (SPECIAL, special):
            return False
        self.at += 1
        return True

    def address(self) -> Steps[None]:
        start = self.at
        phrase = self.phrase()
        if phrase is None or not self.take(b":"):
            self.at = start
            self.mailbox()
            return
        self.found.append(Mailbox(None, None, phrase, None))
        self.skip_commas()
        if self.peek()[0] not in (END, BROKEN) and not self.take(b";"):
            while True:
                if not len(self.found) & _OFTEN or self.is_long():
                    yield from self.read_ahead()
                self.mailbox()
                if self.source.is_cut:
                    self.found.pop()
                    self.source.is_cut = False  # the group before it is whole
                    break
                if len(self.found) >= self.limit or not self.take(b","):
                    break
                self.read_simple()
                self.skip_commas()
                if self.peek()[0] in (END, BROKEN) or (self.strict and self.peek() == (SPECIAL, b";")):
                    break
            self.take(b";")
        self.found.append(GROUP_END)

    def phrase(self) -> bytes | None:
        """Words joined by single spaces, maybe none; None if this cannot be a phrase."""
        kind, text = self.peek()
        if kind == END or (text[:1] == b"." and kind == WORD):
            return None
        words = []
        while kind in (WORD, QUOTED):
            words.append(text)
            self.at += 1
            kind, text = self.peek()
        return None if kind in (END, BROKEN) else b" ".join(words)

    def mailbox(self) -> None:
        start = self.at
        phrase = self.phrase()
        if phrase is not None and self.take(b"<"):
            self.angle_address(phrase or None)
        else:
            self.at = start
            self.bare_address()
        if self.goes_on:
            self.go_on(start)

    def go_on(self, start: int) -> None:
        """Go to the end of the list's element that began at ``start``.

        An address in angle brackets in it is meant, and what is before it is its name.
        """
        is_bare = self.at == start or self.tokens[self.at - 1] != (SPECIAL, b">")
        while (token := self.peek())[0] not in (END, BROKEN) and token not in _SEPARATORS:
            if is_bare and token == (SPECIAL, b"<"):
                self.found.pop()
                name = _joined(self.tokens[start : self.at])
                self.at += 1
                self.angle_address(name or None)
                is_bare = False
            else:
                self.at += 1

    def angle_address(self, name: bytes | None) -> None:
        route = local = host = None
        if self.peek() == (SPECIAL, b"@"):
            route = self.route()
            if route is None or not self.take(b":"):
                route = _INVALID_ROUTE
        complete = True
        if self.peek() != (SPECIAL, b">"):
            local = self.local_part()
            complete = local is not None and self.peek()[0] != END
            if complete and self.take(b"@"):
                host = self.domain()
                complete = host is not None and self.peek()[0] != END
        if not (complete and self.take(b">")):
            host = _SYNTAX_ERROR
        self.found.append(
            Mailbox(name, route, _MISSING_LOCAL if local is None else local, host or _MISSING_HOST)
        )

    def route(self) -> bytes | None:
        domains = []
        while self.take(b"@"):
            domain = self.domain()
            if domain is None or self.peek()[0] == END:
                return None
            domains.append(b"@" + domain)
            while self.take(b","):
                pass
        return b",".join(domains)

    def bare_address(self) -> None:
        self.peek()
        self.comment = None
        quoted = self.peek()[0] == QUOTED
        local = self.local_part()
        host: bytes | None = None
        if self.take(b"@"):
            host = self.domain()
            self.peek()
            name = self.comment
        else:
            self.peek()
            name = self.comment
            if name is None and local is not None:
                rest = self.words()
                if rest:
                    name, local = b" ".join([local, *rest]), None
                elif quoted:
                    name, local = local, None
        self.found.append(
            Mailbox(name or None, None, _MISSING_LOCAL if local is None else local, host or _MISSING_HOST)
        )

    def words(self) -> list[bytes]:
        words = []
        while (token := self.peek())[0] in (WORD, QUOTED):
            words.append(token[1])
            self.at += 1
        return words

    def local_part(self) -> bytes | None:
        """Words with dots between them (RFC 5322 4.4), or with dots in other places."""
        kind, text = self.peek()
        if kind not in (WORD, QUOTED):
            return None
        pieces = [text]
        self.at += 1
        while (token := self.peek())[0] in (WORD, QUOTED) and (
            (kind == WORD and text[-1:] == b".") or (token[0] == WORD and token[1][:1] == b".")
        ):
            kind, text = token
            pieces.append(text)
            self.at += 1
        whole = b"".join(pieces)
        if token == (BROKEN, b"") or (kind == WORD and not whole.strip(b".") and token[1] != b"@"):
            return None
        return whole

    def domain(self) -> bytes | None:
        """A domain literal, or atoms with single dots and white space between them (RFC 5322 4.4)."""
        kind, text = self.peek()
        if kind == LITERAL:
            self.at += 1
            return text
        pieces: list[bytes] = []
        dotted = False
        while kind == WORD and (not pieces or dotted or text[:1] == b"."):
            if b".." in text or (text[:1] == b"." and (dotted or not pieces)):
                return None
            pieces.append(text)
            dotted = text[-1:] == b"."
            self.at += 1
            kind, text = self.peek()
        return None if dotted or not pieces or kind == BROKEN else b"".join(pieces)

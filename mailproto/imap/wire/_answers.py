"""What a server sends, as events of the client's wire (RFC 9051 7)."""

from __future__ import annotations

import re
from typing import NamedTuple, TypeAlias

from mailproto.content import Content
from mailproto.errors import WireError
from mailproto.printable import printable

__all__ = [
    "Answer",
    "BodyBegins",
    "BodyPiece",
    "Continuation",
    "Data",
    "Fetches",
    "Garbage",
    "IMAPResponseError",
    "StatusResponse",
]

_CODE = re.compile(rb"\[([^\]\s\x00-\x1f]++)(?:[ \t]++([^\r\n]*?))?\](?:[ \t]|\Z)")
_UNCLOSED_CODE = re.compile(rb"\[([A-Za-z][A-Za-z0-9.-]*+)(?:[ \t]++([^\]\r\n]*+))?\]?")

_PASSING = frozenset(("UNAVAILABLE", "INUSE", "LIMIT", "SERVERBUG", "EXPUNGEISSUED", "TEMPFAIL"))
"""Response codes of failures that may be gone soon (RFC 9051 7.1); the last one is Yahoo's own."""


class IMAPResponseError(WireError):
    """The server sent something that is too large, or no IMAP; the connection is unusable."""

    fatal = True


class StatusResponse(NamedTuple):
    """A response with OK, NO, BAD, BYE or PREAUTH; the reply of the errors that clients raise.

    :ivar tag: of the command that it ends; ``""`` if it is untagged.
    :ivar status: in upper case.
    :ivar code: the name of the response code in upper case, such as ``TRYCREATE``; ``""`` if there is none.
    :ivar arguments: what follows the code's name, as it came.
    :ivar octets: the text after the code, as it came; there may be none.
    """

    tag: str
    status: str
    code: str
    arguments: bytes
    octets: bytes

    @classmethod
    def read(cls, tag: str, status: str, text: bytes) -> StatusResponse:
        """Read the text of a response: the code, if there is one, and what is for people."""
        if not text.startswith(b"["):
            return cls(tag, status, "", b"", text)
        match = _CODE.match(text) or _UNCLOSED_CODE.match(text)
        if match is None:
            return cls(tag, status, "", b"", text)
        name = match[1].decode("ascii", "replace").upper()
        return cls(tag, status, name, match[2] or b"", text[match.end() :].lstrip())

    @property
    def text(self) -> str:
        """The text for people, printable."""
        return printable(self.octets)

    @property
    def is_permanent(self) -> bool:
        """Whether the same command would be refused again: not if the code says that it may be otherwise
        soon."""
        return self.status in ("NO", "BAD") and self.code not in _PASSING

    @property
    def summary(self) -> str:
        """The response for people to read: ``NO [TRYCREATE] No such mailbox``."""
        code = f"[{printable(self.code)}]" if self.code else ""
        return " ".join(part for part in (self.status, code, self.text) if part)

    def __str__(self) -> str:
        return f"'{self.summary}'"


class Data(NamedTuple):
    """An untagged response with data.

    :ivar number: before the name, as in ``* 5 EXISTS``; None if there is none.
    :ivar name: in upper case.
    :ivar text: what follows the name, with ``{n}CRLF`` where literals were, without the last CRLF.
    :ivar literals: the octets of these literals.  Those of FETCH that went by in pieces are None, until the
        session puts a `Content` there.
    """

    number: int | None
    name: str
    text: bytes
    literals: list[bytes | Content | None]

    def __str__(self) -> str:
        number = "" if self.number is None else f"{self.number} "
        return f"'* {number}{self.name} {printable(self.text, 100)}".rstrip() + "'"


class Fetches(NamedTuple):
    """FETCH responses, one after the other, which were received whole.

    :ivar answers: at least one.
    :ivar uids: of each.
    :ivar octets: of all of them.
    """

    answers: list[Data]
    uids: list[int]
    octets: int

    def __str__(self) -> str:
        return str(self.answers[0])


class Continuation(NamedTuple):
    """``+``: the server waits for the rest of the command.

    :ivar text: as it came, without the CRLF; a challenge of SASL in base64.
    """

    text: bytes

    def __str__(self) -> str:
        return f"'{printable(b'+ ' + self.text, 100).strip()}'"


class BodyBegins(NamedTuple):
    """A literal of FETCH that is too large for memory; `BodyPiece`s follow, and then its `Data`.

    :ivar number: the message's sequence number.
    :ivar text: the response up to the literal, without its announcement.
    :ivar size: octets of the literal, above 0.
    """

    number: int | None
    text: bytes
    size: int

    def __str__(self) -> str:
        number = "" if self.number is None else f"{self.number} "
        return f"'* {number}FETCH {printable(self.text, 100)}'"


class BodyPiece(NamedTuple):
    """Some octets of the literal that `BodyBegins` announced.

    :ivar is_last: whether the literal is whole now.
    """

    octets: bytes
    is_last: bool


class Garbage(NamedTuple):
    """A line that is no response."""

    line: bytes

    def __str__(self) -> str:
        return f"'{printable(self.line, 100)}'"


Answer: TypeAlias = StatusResponse | Data | Fetches | Continuation | BodyBegins | BodyPiece | Garbage

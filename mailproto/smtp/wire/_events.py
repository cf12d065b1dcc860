"""What a client says, as values: one class a command, three for a message's content."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TypeAlias

from mailproto.model import Address, Parameters

__all__ = [
    "Auth",
    "AuthResponse",
    "Bdat",
    "ChunkEnd",
    "Command",
    "Data",
    "DataChunk",
    "DataEnd",
    "DataFault",
    "Etrn",
    "Event",
    "Expn",
    "Hello",
    "Help",
    "Mail",
    "Noop",
    "Quit",
    "Rcpt",
    "Rset",
    "StartTLS",
    "Vrfy",
    "XClient",
]


@dataclass(frozen=True, slots=True)
class Hello:
    """HELO, EHLO or LHLO (RFC 5321 4.1.1.1, RFC 2033 4.1).

    :ivar verb: which of them, in upper case.
    :ivar name: a domain or an address literal in brackets, or whatever else the client wrote:
        not empty, in one line, without control characters.
    """

    verb: str
    name: str


@dataclass(frozen=True, slots=True)
class Mail:
    """MAIL FROM (RFC 5321 4.1.1.2); `mailproto.model.NULL_PATH` for ``<>``."""

    path: Address
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Rcpt:
    """RCPT TO (RFC 5321 4.1.1.3); without domain only ``<Postmaster>``."""

    path: Address
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Data:
    """DATA (RFC 5321 4.1.1.4): answer 354 and call `SMTPServerWire.expect_content`, or refuse."""


@dataclass(frozen=True, slots=True)
class Bdat:
    """BDAT (RFC 3030 2): ``size`` octets follow, whether it is taken or refused.

    They come as `DataChunk` and, even if there are none, one `ChunkEnd`.

    :ivar last: whether the message ends with them.
    """

    size: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Rset:
    """RSET (RFC 5321 4.1.1.5)."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP, whatever stands behind it (RFC 5321 4.1.1.9)."""


@dataclass(frozen=True, slots=True)
class Vrfy:
    """VRFY (RFC 5321 4.1.1.6); ``utf8`` if the answer may be internationalised (RFC 6531 3.7.4.2)."""

    name: str
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Expn:
    """EXPN (RFC 5321 4.1.1.7); ``utf8`` as of `Vrfy`."""

    name: str
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Etrn:
    """ETRN (RFC 1985 5).

    :ivar node: a domain, ``@`` and a domain for all in it, or ``#`` and a queue's name.
    """

    node: str


@dataclass(frozen=True, slots=True)
class Help:
    """HELP (RFC 5321 4.1.1.8); ``topic`` may be empty."""

    topic: str


@dataclass(frozen=True, slots=True)
class Quit:
    """QUIT (RFC 5321 4.1.1.10)."""


@dataclass(frozen=True, slots=True)
class StartTLS:
    """STARTTLS (RFC 3207)."""


@dataclass(frozen=True, slots=True)
class Auth:
    """AUTH (RFC 4954 4).

    :ivar mechanism: in upper case.
    :ivar initial: the initial response in base64, ``b"="`` for an empty one, None for none.
    """

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """One line that `SMTPServerWire.expect_response` asked for: base64, or ``b"*"`` to cancel."""

    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class XClient:
    """XCLIENT (Postfix's XCLIENT_README).

    :ivar attributes: by name in upper case: values decoded and checked, addresses without
        ``IPV6:``; None for what the proxy does not know.
    """

    attributes: Parameters


@dataclass(frozen=True, slots=True)
class DataChunk:
    """Some of the content, never empty.

    Behind DATA its dots are unstuffed and it is never cut within a CRLF; behind BDAT it is
    what came, unchecked.
    """

    octets: bytes


class DataFault(enum.Enum):
    """Why content must not be taken, whatever it is."""

    BARE_NEWLINE = "bare CR or LF"
    NUL = "NUL"
    LONG_LINE = "a line too long"


@dataclass(frozen=True, slots=True)
class DataEnd:
    """The end of the content has been seen; commands follow.

    :ivar octets: the last of the content, often all of it; empty when there is a fault.
    :ivar fault: None if the content may be taken.
    """

    octets: bytes = b""
    fault: DataFault | None = None


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """The end of a BDAT's octets; commands follow.

    :ivar octets: the last of them, often all; nothing in them has been looked at.
    :ivar last: as of the `Bdat`.
    """

    octets: bytes
    last: bool


Command: TypeAlias = (
    Hello
    | Mail
    | Rcpt
    | Data
    | Bdat
    | Rset
    | Noop
    | Vrfy
    | Expn
    | Etrn
    | Help
    | Quit
    | StartTLS
    | Auth
    | XClient
)
"""What one command line may be."""

Event: TypeAlias = Command | AuthResponse | DataChunk | DataEnd | ChunkEnd
"""What `SMTPServerWire.next_event` gives."""

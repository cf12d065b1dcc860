"""The events of a client's octets: a class for each command, and three for a message's content."""

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
    "OwnCommand",
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

    :ivar verb: HELO, EHLO or LHLO.
    :ivar name: the client's name: a domain or an address literal in brackets, or any other text.  It
        is not empty, and has no line ends or other control characters.
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
    """RCPT TO (RFC 5321 4.1.1.3); only ``<Postmaster>`` has no domain."""

    path: Address
    parameters: Parameters


@dataclass(frozen=True, slots=True)
class Data:
    """DATA (RFC 5321 4.1.1.4): answer 354 and call `SMTPServerWire.expect_content`, or refuse it."""


@dataclass(frozen=True, slots=True)
class Bdat:
    """BDAT (RFC 3030 2): ``size`` octets follow, also if it is refused.

    They come as `DataChunk` events and one `ChunkEnd`, which comes even if there are no octets.

    :ivar last: whether this is the message's last chunk.
    """

    size: int
    last: bool = False


@dataclass(frozen=True, slots=True)
class Rset:
    """RSET (RFC 5321 4.1.1.5)."""


@dataclass(frozen=True, slots=True)
class Noop:
    """NOOP, with or without an argument (RFC 5321 4.1.1.9)."""


@dataclass(frozen=True, slots=True)
class Vrfy:
    """VRFY (RFC 5321 4.1.1.6); ``utf8`` if the answer may be internationalised (RFC 6531 3.7.4.2)."""

    name: str
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Expn:
    """EXPN (RFC 5321 4.1.1.7); ``utf8`` as in `Vrfy`."""

    name: str
    utf8: bool = False


@dataclass(frozen=True, slots=True)
class Etrn:
    """ETRN (RFC 1985 5).

    :ivar node: a domain, ``@`` and a domain (for all its subdomains, too), or ``#`` and a queue's name.
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
    :ivar initial: the initial response in base64, ``b"="`` for an empty one; None if there is none.
    """

    mechanism: str
    initial: bytes | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class AuthResponse:
    """The line after `SMTPServerWire.expect_response`: base64, or ``b"*"`` to cancel."""

    octets: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class XClient:
    """XCLIENT (Postfix's XCLIENT_README).

    :ivar attributes: by name in upper case; the values are decoded and checked, and addresses have no
        ``IPV6:``.  None means that the proxy does not know the value.
    """

    attributes: Parameters


@dataclass(frozen=True, slots=True)
class OwnCommand:
    """A command that is not built in (`SMTPServerWire`).

    :ivar verb: in upper case.
    :ivar argument: what follows it, without spaces and tabs at its ends, and without control characters but
        tabs; it may be a secret.
    """

    verb: str
    argument: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DataChunk:
    """Some of the content, never empty.

    After DATA, dot-stuffing is removed, and pieces are not cut within a CRLF.  After BDAT, the octets
    are as they came, and are not checked.
    """

    octets: bytes


class DataFault(enum.Enum):
    """Why content must be refused."""

    BARE_NEWLINE = "bare CR or LF"
    NUL = "NUL"
    LONG_LINE = "a line too long"


@dataclass(frozen=True, slots=True)
class DataEnd:
    """The end of the content; commands follow.

    :ivar octets: the last octets of the content, often all of it; empty if there is a fault.
    :ivar fault: why the content must be refused, or None.
    """

    octets: bytes = b""
    fault: DataFault | None = None


@dataclass(frozen=True, slots=True)
class ChunkEnd:
    """The end of a chunk; commands follow.

    :ivar octets: the last octets of the chunk, often all of it; they are not checked.
    :ivar last: as in the `Bdat`.
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
    | OwnCommand
)
"""The event of a command line."""

Event: TypeAlias = Command | AuthResponse | DataChunk | DataEnd | ChunkEnd
"""Any event of `SMTPServerWire.next_event`."""

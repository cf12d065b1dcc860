"""`MailboxURL`: a mailbox on a server, as people write it."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import Any, Final, Literal, TypeAlias, TypeVar, cast
from urllib.parse import quote, unquote_to_bytes

from mailproto._arguments import check_bool, check_choice, check_type, wrong_type
from mailproto.client._address import Credentials, ServerAddress, bare_host, is_loopback
from mailproto.client._client import Client
from mailproto.client._opening import given_credentials
from mailproto.printable import printable
from mailproto.typing import Reactor

__all__ = ["MailboxScheme", "MailboxURL"]

MailboxScheme: TypeAlias = Literal["pop3", "pop3s", "imap", "imaps"]

ClientT = TypeVar("ClientT", bound="Client[Any, Any]")

_PORTS: Final = {"pop3": 110, "pop3s": 995, "imap": 143, "imaps": 993}
_TAKES: Final = "such as pop3s://USER@HOST or imaps://USER@HOST/MAILBOX"
_URL = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.\-]*)://(?:(?P<user>[^/?#]*)@)?"
    r"(?P<host>\[[^\[\]/?#@]*\]|[^\[\]/?#@:]*)(?::(?P<port>[0-9]*))?(?P<rest>[/?#].*)?",
    re.DOTALL,
)
_ONE_MESSAGE = re.compile(r"(?:\A|/);?(?:UID|UIDVALIDITY|SECTION|PARTIAL)=", re.IGNORECASE)
_SAFE_IN_USER: Final = "@!$&'()+*,="
"""Of the characters that RFC 5092 allows in a name; and "@", as people write it."""


@dataclass(frozen=True, slots=True)
class MailboxURL:
    """A mailbox on a POP3 or IMAP server, as people write it (RFC 2384, RFC 5092): ``imaps://bob@mail.example``.

    `parse` reads a URL, ``str()`` writes it, and `open` connects and signs in.

    :ivar scheme: ``pop3s`` and ``imaps``: TLS from the first octet.  ``pop3`` and ``imap``: STARTTLS, which a
        server on another machine must have.
    :ivar user: who signs in.
    :ivar host: a domain name or an IP address, without brackets.
    :ivar port: by default the scheme's own: 110, 995, 143 or 993.
    :ivar mailbox: an IMAP mailbox, in Unicode; of POP3 it is ``INBOX``.
    :ivar mechanism: the SASL mechanism that the URL demands (``;AUTH=``), or "".
    :raises TypeError, ValueError: a value is not valid.
    """

    scheme: MailboxScheme
    user: str
    host: str
    port: int = 0
    mailbox: str = "INBOX"
    mechanism: str = ""

    def __post_init__(self) -> None:
        check_choice("scheme", self.scheme, tuple(_PORTS))
        for name in ("user", "host", "mailbox", "mechanism"):
            check_type(name, getattr(self, name), str, "a str")
            if any(each < " " or each == "\x7f" for each in getattr(self, name)):
                raise ValueError(f"{name} must have no control characters")
        if not self.user:
            raise ValueError(f"the URL must name the user, {_TAKES}")
        ServerAddress(self.host, self.port or _PORTS[self.scheme])  # which checks them
        object.__setattr__(self, "host", bare_host(self.host))
        object.__setattr__(self, "port", self.port or _PORTS[self.scheme])
        if not self.mailbox:
            raise ValueError("mailbox must not be empty")
        if self.mailbox.upper() == "INBOX":
            object.__setattr__(self, "mailbox", "INBOX")
        elif self.is_pop3:
            raise ValueError("a POP3 server has one mailbox: leave out what follows the host")

    @classmethod
    def parse(cls, text: str) -> MailboxURL:
        """Read a URL.  The user may be written with an ``@`` of its own: ``imaps://bob@home.example@host``.

        :raises TypeError: ``text`` is no `str`.
        :raises ValueError: it is no URL of a mailbox, or has a password; the text says why, in one line, and
            never has a password.
        """
        if not isinstance(text, str):
            raise wrong_type("url", text, f"a URL {_TAKES}")
        match = _URL.fullmatch(text)
        scheme = match["scheme"].lower() if match else ""
        scheme = {"pop": "pop3", "pops": "pop3s"}.get(scheme, scheme)
        if match is None or scheme not in _PORTS:
            shown = "" if "@" in text else f", not {printable(text)}"  # there might be a password in it
            raise ValueError(f"a mailbox's URL is written {_TAKES}{shown}")
        if match["user"] is None:
            raise ValueError(f"the URL must name the user, {_TAKES}")
        user, mechanism = _user(match["user"])
        port = match["port"]
        if port is not None and not (port.isdecimal() and len(port) < 6 and 0 < int(port) < 65536):
            raise ValueError("the URL's port must be a number from 1 to 65535")
        mailbox = _mailbox(match["rest"] or "")
        if not match["host"]:
            raise ValueError(f"the URL must name the host, {_TAKES}")
        host = _decoded("host", match["host"])
        return cls(cast(MailboxScheme, scheme), user, host, int(port or 0), mailbox or "INBOX", mechanism)

    def __str__(self) -> str:
        host = f"[{quote(self.host, safe=':')}]" if ":" in self.host else self.host
        port = "" if self.port == _PORTS[self.scheme] else f":{self.port}"
        mechanism = f";AUTH={quote(self.mechanism, safe='')}" if self.mechanism else ""
        mailbox = "" if self.mailbox == "INBOX" else "/" + quote(self.mailbox, safe="/@:!$&'()+*,=")
        return f"{self.scheme}://{quote(self.user, safe=_SAFE_IN_USER)}{mechanism}@{host}{port}{mailbox}"

    @property
    def is_pop3(self) -> bool:
        """Whether the server speaks POP3; otherwise it speaks IMAP."""
        return self.scheme.startswith("pop3")

    @property
    def is_on_loopback(self) -> bool:
        """Whether the server is on this machine."""
        return is_loopback(self.host)

    def address(
        self,
        credentials: Credentials | None,
        *,
        plain: bool = False,
        trust_root: str | os.PathLike[str] | None = None,
    ) -> ServerAddress:
        """The server's address, with the TLS policy of the scheme.

        :param credentials: to sign in with.
        :param plain: True for no TLS at all; it has no meaning with ``pop3s`` and ``imaps``.
        :param trust_root: a file of CA certificates in PEM form, instead of the platform's.
        :raises ValueError: ``plain`` contradicts the scheme.
        """
        check_bool("plain", plain)
        tls: Literal["required", "implicit", "opportunistic", "none"]
        if self.scheme.endswith("s"):
            if plain:
                raise ValueError(
                    f"{self.scheme} is TLS: write {self.scheme[:-1]}:// for a connection without"
                )
            tls = "implicit"
        elif plain:
            tls = "none"
        else:
            tls = "opportunistic" if self.is_on_loopback and trust_root is None else "required"
        return ServerAddress(self.host, self.port, tls, credentials, trust_root)

    async def open(
        self,
        client: type[ClientT],
        reactor: Reactor,
        credentials: Credentials,
        *,
        plain: bool = False,
        trust_root: str | os.PathLike[str] | None = None,
        **settings: Any,
    ) -> ClientT:
        """Connect, start TLS, and sign in.  The errors are those of `Client.open`.

        :param client: `POP3Client` or `IMAPClient`.
        :param plain: True for no TLS at all: the password goes in clear, whoever can read it.
        :param settings: keyword arguments for the class.
        """
        if not plain and not self.mechanism:
            return await client.open(reactor, self.address(credentials, trust_root=trust_root), **settings)
        address = self.address(None, plain=plain, trust_root=trust_root)
        opened = await client.open(reactor, address, **settings)
        try:
            await opened.authenticate(
                await given_credentials(credentials), mechanism=self.mechanism or None, allow_clear=plain
            )
        except BaseException:
            opened.abort()
            raise
        return opened


def _user(text: str) -> tuple[str, str]:
    """The user and the mechanism.  :raises ValueError: they cannot be read."""
    user, _, parameter = text.partition(";")
    if ":" in user:
        raise ValueError(
            "the URL must have no password, because others may see it: leave it out (a colon of the user's"
            " own is written %3A)"
        )
    if not parameter:
        return _decoded("user", user), ""
    name, _, mechanism = parameter.partition("=")
    if name.upper() != "AUTH" or not mechanism:
        raise ValueError("after the URL's user, only ;AUTH=MECHANISM may stand")
    mechanism = _decoded("mechanism", mechanism)
    return _decoded("user", user), "" if mechanism == "*" else mechanism.upper()


def _mailbox(rest: str) -> str:
    """The mailbox of what follows the host.  :raises ValueError: that is something else."""
    if rest[:1] in ("?", "#") or "?" in rest:
        raise ValueError("the URL must end with the mailbox: write %3F for a question mark in its name")
    if "#" in rest:
        raise ValueError("the URL must end with the mailbox: write %23 for a # in its name")
    if _ONE_MESSAGE.search(rest) or ";" in rest:
        raise ValueError("the URL must be that of a mailbox, not of a message: nothing may follow its name")
    return _decoded("mailbox", rest[1:])


def _decoded(name: str, text: str) -> str:
    """:raises ValueError: the percent-encoding is broken."""
    if re.search(r"%(?![0-9A-Fa-f]{2})", text):
        raise ValueError(f"the URL's {name} has a % that begins no octet: write %25")
    try:
        return unquote_to_bytes(text.encode("utf-8")).decode("utf-8")
    except UnicodeError:
        raise ValueError(f"the URL's {name} is no UTF-8") from None

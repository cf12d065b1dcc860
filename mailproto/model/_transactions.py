"""The values of mail in transit: addresses, the envelope, the session, and the outcome."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Self

from mailproto._arguments import (
    check_bool,
    check_line,
    check_parameters,
    check_reply,
    check_type,
    check_whole,
    wrong_type,
    wrong_value,
)
from mailproto.model._address_syntax import DOT_STRING, split_address

__all__ = [
    "NO_PARAMETERS",
    "NO_SERVICE_EXTENSIONS",
    "NULL_PATH",
    "Address",
    "Envelope",
    "Outcome",
    "Parameters",
    "Recipient",
    "ServiceExtensions",
    "Session",
    "TLSInfo",
    "VerifiedName",
]

Parameters = Mapping[str, str | None]
"""ESMTP parameters (RFC 5321 4.1.1.11): keyword in upper case, value or None."""

NO_PARAMETERS: Parameters = MappingProxyType({})
"""What a command without parameters has."""


@dataclass(frozen=True, slots=True)
class Address:
    """A mailbox in a path (RFC 5321 4.1.2), unquoted.

    :ivar local: the local part without quotes and backslashes, in its original case.
    :ivar domain: as written, an address literal with its brackets; "" for the null path and for
        ``<Postmaster>``.
    :raises TypeError: a part is no `str`.
    """

    local: str
    domain: str

    def __post_init__(self) -> None:
        # One is made for each path: types are compared without a call.
        if self.local.__class__ is not str or self.domain.__class__ is not str:
            check_type("local", self.local, str, "a str")
            check_type("domain", self.domain, str, 'a str, "" only for the null path and for <Postmaster>')

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse an address as it is written between angle brackets: the opposite of ``str()``.

        A local part may be quoted, a domain may be an address literal or international, and its final dot
        is dropped.  "" gives the null path, and "postmaster" an address without a domain.  For a field of
        a message, such as ``Bob <bob@example.org>``, use `mailproto.message.parse_addresses`.

        :raises ValueError: it is not an address; the text says why.
        """
        return cls(*split_address(text))

    def __bool__(self) -> bool:
        """False only for the null path."""
        return bool(self.local or self.domain)

    def __str__(self) -> str:
        """The address as it is written between angle brackets, quoted where necessary."""
        local = self.local
        if not local.isalnum() and not DOT_STRING.fullmatch(local) and self:
            local = '"' + re.sub(r'(["\\])', r"\\\1", local) + '"'
        return f"{local}@{self.domain}" if self.domain else local


NULL_PATH = Address("", "")
"""The reverse-path ``<>`` of notifications (RFC 5321 4.5.5)."""


@dataclass(frozen=True, slots=True)
class TLSInfo:
    """The negotiated TLS parameters, for trace fields and policy.

    :ivar version: such as ``TLSv1.3``.
    :ivar cipher: OpenSSL's name of the cipher suite.
    """

    version: str
    cipher: str

    def __post_init__(self) -> None:
        check_type("version", self.version, str, "a str")
        check_type("cipher", self.cipher, str, "a str")


@dataclass(frozen=True, slots=True)
class Session:
    """What the server knows about an SMTP client when it calls a delivery.

    :ivar protocol: ``SMTP``, ``ESMTP`` or ``LMTP``, as the client greeted.
    :ivar submission: whether this is a submission service (RFC 6409); mail is then taken only with an
        `account`.
    :ivar peer: the client's IP address, without a zone; "" over a Unix socket, and if the client's proxy
        does not know its address.
    :ivar helo: the client's name from HELO, EHLO or LHLO, without control characters; often not a domain
        (RFC 5321 4.1.4).  "" before that command.
    :ivar hostname: this server's own name.
    :ivar tls: None in plaintext.
    :ivar account: the authenticated name, from AUTH or from a trusted proxy; None if there is none.
    """

    protocol: str
    hostname: str
    peer: str = ""
    helo: str = ""
    submission: bool = False
    tls: TLSInfo | None = None
    account: str | None = None

    def __post_init__(self) -> None:
        for name in ("protocol", "hostname", "peer", "helo"):
            check_type(name, getattr(self, name), str, "a str")
        check_bool("submission", self.submission)
        check_type("tls", self.tls, (TLSInfo, type(None)), "a TLSInfo or None")
        check_type("account", self.account, (str, type(None)), "a str or None")


@dataclass(frozen=True, slots=True)
class ServiceExtensions:
    """The ESMTP extensions that a delivery honours, so that the server may offer them.

    :ivar binary_mime: any octets are stored or passed on unchanged (RFC 3030 3).  Such a message may have
        NULs and bare CRs and LFs, and may have no line ends.
    :ivar dsn: delivery status notifications are sent as requested, also for success (RFC 3461).
    :ivar require_tls: the message leaves this server only over TLS to an authenticated server (RFC 8689).
    :ivar deliver_by: late messages are returned or reported (RFC 2852): the least number of seconds that a
        client may ask for, 0 for any; None if this is not supported.
    :ivar mt_priority: the queue is ordered by priority (RFC 6710): the name of the priority assignment
        policy, "" for an unnamed one; None if this is not supported.
    :ivar future_release: messages are held until the requested time (RFC 4865): the greatest number of
        seconds; None if this is not supported.  Submission only.
    :ivar smtputf8: addresses in Unicode are accepted, stored and passed on (RFC 6531).
    """

    binary_mime: bool = False
    dsn: bool = False
    require_tls: bool = False
    deliver_by: int | None = None
    mt_priority: str | None = None
    future_release: int | None = None
    smtputf8: bool = True

    def __post_init__(self) -> None:
        for name in ("binary_mime", "dsn", "require_tls", "smtputf8"):
            check_bool(name, getattr(self, name))
        for name in ("deliver_by", "future_release"):
            if getattr(self, name) is not None:
                check_whole(name, getattr(self, name), hint="seconds, or None if it is not supported")
        if self.mt_priority is not None:
            check_line("mt_priority", self.mt_priority)
            if not _WORD.fullmatch(self.mt_priority):
                takes = "a policy's name such as 'MIXER', '' or None"
                raise wrong_value("mt_priority", self.mt_priority, takes)


_WORD = re.compile(r"[!-~]*")
"""What an EHLO line can have as a parameter (RFC 5321 4.1.1.1)."""


NO_SERVICE_EXTENSIONS = ServiceExtensions()
"""The extensions of a delivery that only delivers."""


@dataclass(frozen=True, slots=True)
class VerifiedName:
    """One answer to VRFY or EXPN (RFC 5321 3.5.2): an address, and perhaps its user's name."""

    address: Address
    name: str = ""

    def __post_init__(self) -> None:
        _check_address("address", self.address)
        check_line("name", self.name)

    def __str__(self) -> str:
        return f"{self.name} <{self.address}>" if self.name else f"<{self.address}>"


@dataclass(frozen=True, slots=True)
class Recipient:
    """An accepted forward-path with its ESMTP parameters.

    :raises TypeError: ``address`` is no `Address`, or ``parameters`` are no mapping.
    """

    address: Address
    parameters: Parameters = field(default_factory=lambda: NO_PARAMETERS)

    def __post_init__(self) -> None:
        if self.address.__class__ is not Address:
            _check_address("address", self.address)
        if self.parameters is not NO_PARAMETERS:
            check_parameters("parameters", self.parameters)


_RECIPIENTS = {Recipient}
_TEXTS = {str, type(None)}


@dataclass(frozen=True, slots=True)
class Envelope:
    """One mail transaction (RFC 5321 2.3.1).

    :ivar id: this server's id of the transaction, also in its Received field and its reply.
    :ivar sender: the reverse-path; `NULL_PATH` for notifications.
    :ivar recipients: at least one, in the client's order, with duplicates.
    :ivar session: of the client that sent it.
    :raises TypeError: a value is of the wrong type.
    :raises ValueError: there are no recipients, or ``id`` has a line break.
    """

    id: str
    sender: Address
    recipients: tuple[Recipient, ...]
    session: Session
    parameters: Parameters = field(default_factory=lambda: NO_PARAMETERS)

    def __post_init__(self) -> None:
        # One is made for each message: what the server makes is checked without calls.
        if not (
            self.id.__class__ is str
            and self.id.isalnum()
            and self.sender.__class__ is Address
            and self.recipients.__class__ is tuple
            and set(map(type, self.recipients)) == _RECIPIENTS
            and self.session.__class__ is Session
        ):
            self._check()
        parameters = self.parameters
        if parameters is not NO_PARAMETERS and not (
            parameters.__class__ is dict
            and _TEXTS.issuperset(map(type, parameters))
            and _TEXTS.issuperset(map(type, parameters.values()))
        ):
            check_parameters("parameters", parameters)

    def _check(self) -> None:
        check_line("id", self.id)
        _check_address("sender", self.sender)
        recipients = self.recipients
        takes = "a tuple of Recipient"
        if not isinstance(recipients, tuple) or not all(isinstance(each, Recipient) for each in recipients):
            raise wrong_type(
                "recipients", recipients, takes, "such as (Recipient(Address('b', 'y.example')),)"
            )
        if not recipients:
            raise wrong_value("recipients", recipients, f"{takes}, at least one")
        check_type("session", self.session, Session, "a Session")


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a delivery for one recipient: an SMTP reply (RFC 5321 4.2).

    :ivar code: 250 for accepted, 4yz for a temporary failure, 5yz for a permanent one.
    :ivar enhanced: RFC 3463 code of the same class.
    :ivar detail: for the log only: where the message was put, or why it was not.  It does not count when
        outcomes are compared.
    :raises TypeError: a value is of the wrong type.
    :raises ValueError: ``code`` is no reply code, or ``enhanced`` is none or of another class.
    """

    code: int
    enhanced: str
    text: str
    detail: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        check_reply(self.code, self.enhanced)
        if self.text.__class__ is not str:
            check_type("text", self.text, str, "a str")
        if self.detail.__class__ is not str:
            check_type("detail", self.detail, str, "a str")

    @property
    def accepted(self) -> bool:
        """Whether the receiver has taken responsibility for this recipient's copy."""
        return 200 <= self.code < 300


def _check_address(name: str, address: object) -> None:
    """:raises TypeError: it is no `Address`."""
    if not isinstance(address, Address):
        hint = f"write Address.parse({address!r})" if isinstance(address, str) else ""
        raise wrong_type(name, address, "an Address", hint)

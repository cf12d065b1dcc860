"""`Exchange`: one server to try, and what TLS it must have."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Literal

from mailproto.auth import Password
from mailproto.client.base import host_and_port
from mailproto.relay._dns import TLSARecord

__all__ = ["OPPORTUNISTIC", "AppliedPolicy", "Exchange", "TLSDemand"]


@dataclass(frozen=True, slots=True)
class TLSDemand:
    """What TLS a server must have.

    :ivar level: ``none``: plaintext.  ``opportunistic``: STARTTLS with any certificate if that works, or
        else plaintext.  ``required``: TLS with any certificate.  ``verified``: with a certificate that an
        authority has signed for one of ``names``.  ``dane``: with a certificate that ``records`` are for.
    :ivar names: in A-labels; with ``dane``, for records of usage 2.
    :ivar records: those that can be used (RFC 7672 3.1), with ``dane``.
    :ivar is_implicit: whether TLS begins with the first octet.
    :ivar reason: what demands it, for the log: ``route``, ``dane``, ``sts``, ``requiretls``; "" for nothing.
    :ivar is_tried_only: the demand is only tested (MTA-STS in the mode ``testing``): where it fails, the
        message goes as with ``opportunistic``.
    :ivar needs_requiretls: whether the server must offer REQUIRETLS (RFC 8689 4.2.1).
    """

    level: Literal["none", "opportunistic", "required", "verified", "dane"] = "opportunistic"
    names: tuple[str, ...] = ()
    records: tuple[TLSARecord, ...] = ()
    is_implicit: bool = False
    reason: str = ""
    is_tried_only: bool = False
    needs_requiretls: bool = False


OPPORTUNISTIC = TLSDemand()


@dataclass(frozen=True, slots=True)
class AppliedPolicy:
    """The policy of a domain for one of its servers, as reports name it (RFC 8460 4.1).

    :ivar domain: in A-labels.
    :ivar kind: ``tlsa`` (DANE), ``sts`` or ``no-policy-found``.
    :ivar texts: the policy itself: the records, or the lines.
    :ivar patterns: of the servers that a policy of MTA-STS names.
    """

    domain: str
    kind: Literal["tlsa", "sts", "no-policy-found"]
    texts: tuple[str, ...] = ()
    patterns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Exchange:
    """A server to try, from `Exchanges.find`.

    :ivar host: its name in A-labels, or its IP address without brackets; "" with ``path``.
    :ivar addresses: its IP addresses in the order in which they are tried; none with ``path``.
    :ivar port: of TCP.
    :ivar path: of a Unix socket; "" for TCP.
    :ivar is_lmtp: whether it speaks LMTP.
    :ivar tls: what TLS it must have.
    :ivar credentials: what to sign in with, or None.
    :ivar policy: what reports about TLS name; None for none.
    """

    host: str
    addresses: tuple[str, ...] = ()
    port: int = 25
    path: str = ""
    is_lmtp: bool = False
    tls: TLSDemand = OPPORTUNISTIC
    credentials: Password | None = field(default=None, repr=False)
    policy: AppliedPolicy | None = field(default=None, compare=False)

    @property
    def identity(self) -> Hashable:
        """Exchanges with the same identity may share connections, whatever domains they are for.

        The addresses do not count, because the DNS gives them in any order.
        """
        return (self.host, self.port, self.path, self.is_lmtp, self.tls, self.credentials)

    def __str__(self) -> str:
        return self.path or host_and_port(self.host, self.port)

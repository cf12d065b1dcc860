"""Questions and answers of the DNS, and the contract of what answers them."""

from __future__ import annotations

from collections.abc import Awaitable
from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, Protocol, TypeAlias

from mailproto.errors import MailError

__all__ = ["Answer", "DNSFailure", "Kind", "Lookup", "MXRecord", "NoAnswer", "TLSARecord"]

Kind: TypeAlias = Literal["A", "AAAA", "MX", "TXT", "TLSA"]
"""The types of records that are asked for."""


class MXRecord(NamedTuple):
    """A record of the type MX; the host is in lower case, without a final dot, "" for the root."""

    preference: int
    host: str


class TLSARecord(NamedTuple):
    """A record of the type TLSA (RFC 6698 2.1)."""

    usage: int
    selector: int
    matching: int
    data: bytes

    def __str__(self) -> str:
        return f"{self.usage} {self.selector} {self.matching} {self.data.hex()}"


@dataclass(frozen=True, slots=True)
class Answer:
    """What the DNS says about a name.

    :ivar records: of the type that was asked for: `str` for A and AAAA (addresses), `MXRecord` for MX,
        `bytes` for TXT (its strings joined), `TLSARecord` for TLSA.
    :ivar name: the name that has the records, after CNAMEs: in lower case, without a final dot.
    :ivar exists: False if the DNS says that there is no such name (NXDOMAIN).
    :ivar is_secure: whether a resolver that is trusted has validated the answer (DNSSEC), CNAMEs included.
    :ivar ttl: seconds for which the answer may be kept.
    """

    records: tuple[Any, ...] = ()
    name: str = ""
    exists: bool = True
    is_secure: bool = False
    ttl: int = 0

    def and_then(self, later: Answer) -> Answer:
        """The answer to a question whose name is an alias, according to this answer."""
        return replace(later, is_secure=self.is_secure and later.is_secure, ttl=min(self.ttl, later.ttl))


class DNSFailure(MailError):
    """The DNS did not answer, or not usefully: the name may exist (RFC 3463 X.4.3)."""

    code, enhanced = 451, "4.4.3"
    default_text = "The DNS gives no answer now, try again later"


class NoAnswer(DNSFailure):
    """A server was silent for too long, so that it may be asked again."""


class Lookup(Protocol):
    """What asks the DNS; `DNSResolver` is one, and tests have their own."""

    def look_up(self, name: str, kind: Kind) -> Awaitable[Answer]:
        """Ask for the records of a name.

        :param name: a domain in A-labels and lower case, without a final dot.
        :raises DNSFailure: there is no answer now.
        """

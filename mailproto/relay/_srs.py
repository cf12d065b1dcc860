"""SRS, the sender rewriting scheme: a reverse-path of ours for mail that goes on to another server.

A server that forwards mail is not among those from which the sender's domain sends (SPF, RFC 7208), so it
sends with an address of its own, from which it can find out the sender when the mail comes back.  The scheme
is that of libsrs2 and Mail::SRS (Meng Wong, Shevek: "The Sender Rewriting Scheme", 2004): ``SRS0`` has the
sender, and ``SRS1`` an ``SRS0`` of another server, which is not made longer by each server on the way.
"""

from __future__ import annotations

import base64
import hmac
import re
import time
from collections.abc import Callable, Sequence

from mailproto._arguments import check_call, check_type, check_whole, check_words, wrong_value
from mailproto.domains import canonical_domain, domain_fault, literal_address
from mailproto.errors import RecipientUnknown
from mailproto.model import Address
from mailproto.smtp.wire import SMTPWireLimits

__all__ = ["MAX_AGE", "MAX_LOCAL_PART", "SRS"]

MAX_AGE = 21
"""Days for which mail to such an address is taken; a bounce comes after at most a week or so."""

MAX_LOCAL_PART = SMTPWireLimits().local_part
"""Octets of the longest local part that is made: our own server must take it back.  The RFC's 64 are too few
for the senders of bulk mail, and hardly a server keeps to them."""

_DAYS = 1 << 10
"""The number of days in two digits of base 32."""

_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_HASH = 4
"""Characters of a hash: 24 bits.  A guess costs a message, and only reaches one address for some days."""

_LEAST_SECRET = 16
_MAX_ADDRESS = 254  # RFC 5321 4.5.3.1.3, without angle brackets
_OURS = re.compile(r"srs[01][=+-]", re.IGNORECASE)
_SRS0 = re.compile(r"srs0[=+-]([^=]+)=([a-z2-7]{2})=([^=]+)=(.+)", re.IGNORECASE | re.DOTALL)
_SRS1 = re.compile(r"srs1[=+-]([^=]+)=([^=]+)=([=+-].+)", re.IGNORECASE | re.DOTALL)


class SRS:
    """Rewrites reverse-paths, and finds out whose they were.

    :param domain: of the addresses that are made, and that of those for mail of other domains.
    :param secret: at least 16 octets; whoever knows it can have this server send mail to anybody.
    :param domains: others that may be in addresses: for mail that came to an alias of one, it is that one.
    :param max_age: days for which mail to an address is taken: 1 to 1,000.
    :param clock: gives the seconds since the epoch.
    :raises TypeError: an argument is of the wrong type.
    :raises ValueError: the domain is not valid, the secret is too short, or the age is out of its range.
    """

    def __init__(
        self,
        domain: str,
        secret: bytes,
        *,
        domains: Sequence[str] = (),
        max_age: int = MAX_AGE,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if domains:
            check_words("domains", domains, "example.org")
        for name, value in (("domain", domain), *(("each of domains", each) for each in domains)):
            check_type(name, value, str, "a str")
            if not literal_address(value) and (fault := domain_fault(value)):
                raise wrong_value(name, value, "a domain such as 'example.org'", f"it {fault}")
        if not isinstance(secret, bytes):  # which is not shown
            raise TypeError(f"secret must be bytes, not {type(secret).__name__}")
        if len(secret) < _LEAST_SECRET:
            raise ValueError(f"secret must have at least {_LEAST_SECRET} octets")
        check_whole("max_age", max_age, 1)
        if max_age > 1000:
            raise wrong_value("max_age", max_age, "at most 1,000 days")
        check_call("clock", clock, "a function that gives seconds, such as time.time", 0)
        self._domain = domain
        self._domains = {canonical_domain(each): each for each in (*domains, domain)}
        self._secret = secret
        self._max_age = max_age
        self._clock = clock

    def rewrite(self, sender: Address, alias_domain: str = "") -> Address:
        """The reverse-path with which mail of ``sender`` goes on to another server.

        :param alias_domain: the domain of the address to which the mail came.
        :returns: ``sender`` itself, if it is null, is in one of these domains already, or is too long.
        """
        if not sender.domain or canonical_domain(sender.domain) in self._domains:
            return sender
        local, domain = sender.local, sender.domain
        if (again := _SRS1.fullmatch(local)) is not None:
            local = self._once_more(again[2], again[3])
        elif _OURS.match(local) and local[3] == "0":
            local = self._once_more(domain, local[4:])
        else:
            day = _day(self._today())
            local = f"SRS0={self._hash(day, domain, local)}={day}={domain}={local}"
        own = self._domains.get(canonical_domain(alias_domain), self._domain)
        made = Address(local, own)
        size = len(local.encode("utf-8", "surrogatepass"))
        return made if size <= MAX_LOCAL_PART and len(str(made)) <= _MAX_ADDRESS else sender

    def _once_more(self, host: str, rest: str) -> str:
        return f"SRS1={self._hash(host, rest)}={host}={rest}"

    def restore(self, recipient: Address) -> Address | None:
        """Whose reverse-path it was.

        :returns: the sender; of an ``SRS1`` the address at the first server that rewrote it; None if
            ``recipient`` is no such address of these domains.
        :raises RecipientUnknown: it looks like one, but was not made with this secret, or is too old.
        """
        local = recipient.local
        if local[:3].upper() != "SRS" or not _OURS.match(local):
            return None
        if canonical_domain(recipient.domain) not in self._domains:
            return None
        if (first := _SRS0.fullmatch(local)) is not None:
            given, day, domain, sender = first.groups()
            self._check(given, day, domain, sender)
            age = (self._today() - _number(day)) % _DAYS
            if age > self._max_age and age != _DAYS - 1:  # tomorrow: another server of ours has made it
                raise RecipientUnknown("This return address is too old")
            return Address(sender, domain)
        if (again := _SRS1.fullmatch(local)) is not None:
            given, host, rest = again.groups()
            self._check(given, host, rest)
            return Address(f"SRS0{rest}", host)
        raise RecipientUnknown("This is no return address")

    def _check(self, given: str, *parts: str) -> None:
        """:raises RecipientUnknown: the hash is not that of the parts."""
        # Some servers change the case of letters.
        if not hmac.compare_digest(given.lower().encode(), self._hash(*parts).lower().encode()):
            raise RecipientUnknown("This return address was not made here")

    def _hash(self, *parts: str) -> str:
        text = "".join(parts).lower().encode("utf-8", "surrogatepass")
        return base64.b64encode(hmac.digest(self._secret, text, "sha1")).decode()[:_HASH]

    def _today(self) -> int:
        return int(self._clock() // 86_400) % _DAYS


def _day(number: int) -> str:
    return _DIGITS[number >> 5] + _DIGITS[number & 31]


def _number(day: str) -> int:
    high, low = map(_DIGITS.index, day.upper())
    return high << 5 | low

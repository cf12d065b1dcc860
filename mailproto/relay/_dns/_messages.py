"""The DNS's messages, by dnspython, within limits."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype

from mailproto.relay._dns._answers import Answer, DNSFailure, Kind, MXRecord, TLSARecord

__all__ = ["MALFORMED", "NO_ERROR", "NO_SUCH_NAME", "UDP_SIZE", "Malformed", "Question", "Response"]

RECORDS_LIMIT: Final = 100
"""The most records that are kept of an answer: of MX, the best ones."""

TEXT_LIMIT: Final = 4096
"""Octets of the longest record of the types TXT and TLSA that is kept; longer ones are left out."""

UDP_SIZE: Final = 1232
"""Octets of the longest answer by UDP (EDNS, RFC 6891): what is not fragmented anywhere."""

TTL_LIMIT: Final = 24 * 60 * 60
"""Seconds for which an answer may be kept, whatever it says."""

NEGATIVE_TTL_LIMIT: Final = 60 * 60
"""Seconds for which it may be kept that there is nothing (RFC 2308 5)."""

_NEGATIVE_TTL: Final = 60
"""The same, if the answer does not say."""

NO_ERROR: Final = int(dns.rcode.NOERROR)
NO_SUCH_NAME: Final = int(dns.rcode.NXDOMAIN)
MALFORMED: Final = frozenset({int(dns.rcode.FORMERR), int(dns.rcode.NOTIMP), int(dns.rcode.BADVERS)})
"""The codes with which a server says that it does not understand EDNS (RFC 6891 7)."""


UNREADABLE: Final = TLSARecord(255, 255, 255, b"")
"""Stands for records that cannot be read: there are some, but they cannot be used (RFC 7672 2.2)."""

_TRUNCATED: Final = 2
"""The bit TC in the third octet of a message (RFC 1035 4.1.1)."""


class Malformed(Exception):
    """The octets are no answer to the question."""


@dataclass(frozen=True, slots=True)
class Response:
    """One message that answers a question.

    :ivar code: the RCODE.
    :ivar is_truncated: whether the whole answer has to be asked for by TCP.
    :ivar answer: ``is_secure`` is the AD bit: whether the server says that it has validated the answer
        (RFC 4035 3.2.3).
    """

    code: int
    is_truncated: bool
    answer: Answer

    @property
    def code_name(self) -> str:
        """Such as ``SERVFAIL``."""
        return dns.rcode.to_text(dns.rcode.Rcode(self.code))


class Question:
    """A question, which also asks whether the answer is authentic (RFC 6840 5.7).

    :param name: in A-labels.
    :param takes_long: whether answers by UDP may be longer than 512 octets (EDNS).
    :raises dns.exception.DNSException: ``name`` is none that the DNS can have.

    :ivar octets: the message.
    """

    def __init__(self, name: str, kind: Kind, *, takes_long: bool = True) -> None:
        self._kind = kind
        self._query = dns.message.make_query(
            dns.name.from_text(name), kind, use_edns=0 if takes_long else -1, payload=UDP_SIZE
        )
        self._query.flags |= dns.flags.AD
        self.octets = self._query.to_wire()

    def read(self, octets: bytes, *, is_whole: bool = True) -> Response:
        """Read the answer to this question; some 0.03 ms for each record.

        :param is_whole: False if its end is missing.
        :raises Malformed: it is none, or cannot be read.
        """
        if octets[:2] != self.octets[:2]:
            raise Malformed("it answers another question")  # before anything else, because it may be forged
        # Servers may cut off an answer in the middle of a record.
        is_cut = not is_whole or (len(octets) > 2 and bool(octets[2] & _TRUNCATED))
        try:
            try:
                message = dns.message.from_wire(octets, ignore_trailing=True, question_only=is_cut)
            except (dns.exception.DNSException, ValueError):
                if self._kind != "TLSA":
                    raise
                # dnspython refuses records of a wrong length, which are only as good as unknown ones.
                message = dns.message.from_wire(octets, ignore_trailing=True, continue_on_error=True)
        except Exception as error:  # whatever a parser raises for what a stranger sent
            raise Malformed(f"it cannot be read: {type(error).__name__}: {error}") from None
        if not self._query.is_response(message) or not isinstance(message, dns.message.QueryMessage):
            raise Malformed("it answers another question")
        code = int(message.rcode())
        if is_cut or code not in (NO_ERROR, NO_SUCH_NAME):
            return Response(code, is_cut, Answer())
        return Response(code, False, self._answer(message, code))

    def _answer(self, message: dns.message.QueryMessage, code: int) -> Answer:
        """The records at the end of the chain of CNAMEs, or where it ends."""
        try:
            chain = message.resolve_chaining()
        except dns.message.ChainTooLong:
            raise DNSFailure(detail="its CNAMEs go in a circle, or are too many") from None
        except dns.exception.DNSException as error:
            raise DNSFailure(detail=f"the answer contradicts itself: {error}") from None
        records = list(map(_READERS[self._kind], chain.answer or ()))
        if self._kind == "MX":
            records.sort()
        if self._kind == "TLSA" and message.errors:
            records.append(UNREADABLE)
        kept = [each for each in records if _size(each) <= TEXT_LIMIT][:RECORDS_LIMIT]
        has_ttl = any(each.rdtype == dns.rdatatype.SOA for each in message.authority)
        limit = TTL_LIMIT if chain.answer else NEGATIVE_TTL_LIMIT if has_ttl else _NEGATIVE_TTL
        return Answer(
            tuple(kept),
            _text(chain.canonical_name),
            code != NO_SUCH_NAME,
            bool(message.flags & dns.flags.AD),
            min(chain.minimum_ttl, limit),
        )


def _text(name: dns.name.Name) -> str:
    """A name in lower case, without a final dot; octets that no host's name has are escaped."""
    return name.to_text(omit_final_dot=True).lower() if len(name) > 1 else ""


def _size(record: Any) -> int:
    octets = record.data if isinstance(record, TLSARecord) else record
    return len(octets) if isinstance(octets, bytes) else 0


def _joined(strings: Iterable[bytes]) -> bytes:
    return b"".join(strings)


_READERS: Final[dict[Kind, Any]] = {
    "A": lambda record: record.address,
    "AAAA": lambda record: record.address,
    "MX": lambda record: MXRecord(record.preference, _text(record.exchange)),
    "TXT": lambda record: _joined(record.strings),
    "TLSA": lambda record: TLSARecord(record.usage, record.selector, record.mtype, record.cert),
}

"""Counts how TLS went to the servers of each domain, for the reports of a day (RFC 8460)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from mailproto.client.errors import TLSFailed, TLSUnavailable
from mailproto.errors import MailError
from mailproto.relay._exchange import AppliedPolicy, Exchange
from mailproto.tls import HandshakeFailed

__all__ = ["DOMAINS_LIMIT", "FAILURES_LIMIT", "DayCounts", "Fault", "FaultCounter", "PolicyCounts"]

DOMAINS_LIMIT: Final = 5000
"""The most domains of a day that are counted."""

FAILURES_LIMIT: Final = 100
"""The most failures that differ, of a policy of a domain; others count in its sum only."""

_RESULTS: Final[Mapping[str, str]] = {
    "name": "certificate-host-mismatch",
    "time": "certificate-expired",
    "authority": "certificate-not-trusted",
}
"""RFC 8460 4.3.1, by `HandshakeFailed.fault`; any other is a ``validation-failure``."""


class Fault(NamedTuple):
    """A kind of failure (RFC 8460 4.3): its result type, the server, its address, and its reason."""

    result: str
    host: str = ""
    address: str = ""
    reason: str = ""


class FaultCounter(Protocol):
    """What counts faults for reports (`DayCounts`)."""

    def note(self, policy: AppliedPolicy, fault: Fault) -> None:
        """Something about a policy has failed."""


@dataclass(slots=True)
class PolicyCounts:
    """The sessions to which one policy was applied.

    :ivar good, bad: how many.
    :ivar faults: the failures of the latter.
    """

    good: int = 0
    bad: int = 0
    faults: Counter[Fault] = field(default_factory=Counter)


class DayCounts:
    """The counts of a day, by domain and policy.

    The `Opener` tells how each session went, and `MTASTS` which policies cannot be had.
    """

    def __init__(self) -> None:
        self._domains: dict[str, dict[AppliedPolicy, PolicyCounts]] = {}

    def succeeded(self, exchange: Exchange) -> None:
        """A session to a server has TLS as its policy demands."""
        counts = self._of(exchange.policy)
        if counts is not None:
            counts.good += 1

    def failed(self, exchange: Exchange, address: str, error: MailError) -> None:
        """A session to a server has no such TLS.

        :param error: other ones than those of TLS do not count.
        """
        result = _result_of(error)
        if result and exchange.policy is not None:
            reason = str(error)[:200]
            self.note(exchange.policy, Fault(result, exchange.host, address, reason))

    def note(self, policy: AppliedPolicy, fault: Fault) -> None:
        """Something about a policy has failed."""
        counts = self._of(policy)
        if counts is None:
            return
        counts.bad += 1
        if fault in counts.faults or len(counts.faults) < FAILURES_LIMIT:
            counts.faults[fault] += 1

    def by_domain(self) -> Mapping[str, Mapping[AppliedPolicy, PolicyCounts]]:
        """All counts."""
        return self._domains

    def _of(self, policy: AppliedPolicy | None) -> PolicyCounts | None:
        if policy is None:
            return None
        policies = self._domains.get(policy.domain)
        if policies is None:
            if len(self._domains) >= DOMAINS_LIMIT:
                return None
            policies = self._domains[policy.domain] = {}
        return policies.setdefault(policy, PolicyCounts())


def _result_of(error: MailError) -> str:
    """The result type of RFC 8460 4.3; "" if it is no failure of TLS."""
    if isinstance(error, TLSUnavailable):
        return "starttls-not-supported"
    if not isinstance(error, TLSFailed):
        return ""
    cause = error.__cause__
    fault = cause.fault if isinstance(cause, HandshakeFailed) else ""
    return _RESULTS.get(fault, "validation-failure")

"""`TLSPolicies`: what the policies of a domain demand of its servers."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from typing import Protocol

from twisted.internet.defer import ensureDeferred, gatherResults

from mailproto._arguments import check_methods
from mailproto.errors import MailError, Refused
from mailproto.printable import printable
from mailproto.relay._dns import DNSFailure, Lookup
from mailproto.relay._exchange import AppliedPolicy, Exchange, TLSDemand
from mailproto.relay._hosts import Candidate
from mailproto.relay._tls._counts import Fault, FaultCounter
from mailproto.relay._tls._dane import dane_demand
from mailproto.relay._tls._demands import Demands, requiretls_unmet
from mailproto.relay._tls._sts_policy import STSPolicy, sts_applied

__all__ = ["TLSPolicies"]


class STSSource(Protocol):
    """Where the policies of MTA-STS come from."""

    def policy(self, domain: str) -> Awaitable[STSPolicy | None]:
        """The policy of a domain; None if it has none, or none that can be had.  Never raises."""


class TLSPolicies:
    """Decides for each server of a domain: DANE first, then MTA-STS, then the route.

    :param resolver: what asks the DNS; DANE needs answers that are secure.
    :param sts: the policies of MTA-STS; None not to look for any.
    :param counts: where servers are counted that a policy does not allow, for reports.
    :raises TypeError: an argument is of the wrong type.
    """

    def __init__(
        self, resolver: Lookup, sts: STSSource | None = None, counts: FaultCounter | None = None
    ) -> None:
        check_methods("resolver", resolver, "a DNSResolver", "look_up")
        if sts is not None:
            check_methods("sts", sts, "an MTASTS or None", "policy")
        self._resolver = resolver
        self._sts = sts
        self._counts = counts

    async def exchanges(
        self, domain: str, port: int, hosts: Sequence[Candidate], demands: Demands
    ) -> list[Exchange]:
        """The hosts that may be tried, each with its demand; none if no host has an address.

        :param hosts: in the order in which they are tried, with their addresses.
        :raises MailError: there are hosts with addresses, but a policy allows none.
        """
        policy = await self._policy(domain, demands)
        reachable = [host for host in hosts if host.addresses]
        deciding = [ensureDeferred(self._decide(domain, port, host, policy, demands)) for host in reachable]
        decided = await gatherResults(deciding, consumeErrors=True)
        found = [
            Exchange(
                host.host,
                host.addresses,
                port,
                tls=demand,
                policy=_applied(domain, demand, policy) if demands.heeds_policies else None,
            )
            for host, demand in zip(reachable, decided, strict=True)
            if isinstance(demand, TLSDemand)
        ]
        errors = [error for error in decided if isinstance(error, MailError)]
        if errors and not found:
            errors += [host.error for host in hosts if host.error is not None]
            raise min(errors, key=lambda error: error.code)  # a temporary one, if there is one
        return found

    async def _policy(self, domain: str, demands: Demands) -> STSPolicy | None:
        if self._sts is None or not demands.heeds_policies:
            return None
        policy = await self._sts.policy(domain)
        return None if policy is None or policy.mode == "none" else policy

    async def _decide(
        self, domain: str, port: int, host: Candidate, policy: STSPolicy | None, demands: Demands
    ) -> TLSDemand | MailError:
        """The demand of a host, or why it may not be tried."""
        if demands.heeds_policies:
            try:
                dane = await dane_demand(self._resolver, domain, host, port)
            except DNSFailure as error:
                return error
            if dane is not None and (dane.level == "dane" or not demands.is_verification_demanded):
                return demands.with_extension(dane)
        if policy is None:
            demand = demands.of_host(host.host, is_name_trusted=host.is_secure)
        elif policy.allows(host.host):
            is_tested = policy.mode == "testing" and not demands.is_verification_demanded
            demand = demands.with_extension(
                TLSDemand("verified", (host.host,), reason="sts", is_tried_only=is_tested)
            )
        elif policy.mode == "enforce":
            self._note(domain, policy, Fault("validation-failure", host.host))
            text = printable(f"{host.host} is no server that the policy of {domain} (MTA-STS) names")
            return Refused(451, "4.7.5", text)
        else:
            self._note(domain, policy, Fault("validation-failure", host.host))
            demand = demands.of_host(host.host, is_name_trusted=host.is_secure)
        if demand is None:
            return requiretls_unmet(f"nothing vouches for the name {host.host}")
        return demand

    def _note(self, domain: str, policy: STSPolicy, fault: Fault) -> None:
        if self._counts is not None:
            self._counts.note(sts_applied(domain, policy), fault)


def _applied(domain: str, demand: TLSDemand, policy: STSPolicy | None) -> AppliedPolicy:
    if demand.reason == "dane":
        return AppliedPolicy(domain, "tlsa", tuple(map(str, demand.records)))
    if policy is not None:
        return sts_applied(domain, policy)
    return AppliedPolicy(domain, "no-policy-found")

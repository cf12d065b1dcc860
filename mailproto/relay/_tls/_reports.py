"""`TLSReports`: tells domains each day how TLS went with their servers (RFC 8460)."""

from __future__ import annotations

import os
import random
import time
import uuid
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import deferLater

from mailproto._arguments import check_call, check_line
from mailproto._logger import PackageLogger
from mailproto._twisted_arguments import check_clock
from mailproto.awaiting import Result, settle
from mailproto.errors import MailError
from mailproto.model import Address
from mailproto.printable import printable
from mailproto.relay._dns import DNSFailure, Lookup
from mailproto.relay._exchange import AppliedPolicy, Exchange
from mailproto.relay._hosts import ask
from mailproto.relay._tls._counts import DayCounts, Fault
from mailproto.relay._tls._https import HTTPSClient, HTTPSFailed
from mailproto.relay._tls._report import Reporter, TLSReport, check_reporter, report_addresses
from mailproto.typing import Reactor

__all__ = ["SPREAD", "TLSReports"]

SPREAD: Final = 4 * 60 * 60
"""Seconds over which the reports of a day are spread, so that they do not all come at midnight (4.1)."""

_DAY: Final = 24 * 60 * 60

Send = Callable[[Address, Address, bytes], Result[None]]


class TLSReports:
    """Counts how TLS goes, and sends each domain that wants it a report after the end of the day (UTC).

    `mailproto.relay.servers.Opener`, `TLSPolicies` and `MTASTS` are given this object as their ``counts``.
    What was counted since midnight is in memory only: a restart forgets it.

    :param reactor: Twisted's reactor.
    :param resolver: what asks the DNS.
    :param send: sends a message: called with sender, recipient and the message's octets; it may return an
        awaitable, and raise `mailproto.errors.MailError`.  Domains expect that it is signed (DKIM).
    :param organization: the name of who reports.
    :param contact: the mail address for questions, in ASCII; the messages come from it.
    :param hostname: this server's name.
    :param trust_root: a file of CA certificates in PEM form, for reports by HTTPS; None for the platform's.
    :param now: the time in seconds since 1970.
    :param chance: a random number from 0 to 1.
    :raises TypeError, ValueError: an argument is not valid.
    """

    _log = PackageLogger()

    def __init__(
        self,
        reactor: Reactor,
        resolver: Lookup,
        send: Send,
        *,
        organization: str,
        contact: str,
        hostname: str,
        trust_root: str | os.PathLike[str] | None = None,
        now: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        check_clock("reactor", reactor)
        check_call("send", send, "a function of a sender, a recipient and octets", 3)
        for name, text in (("organization", organization), ("hostname", hostname)):
            check_line(name, text)
        self._reactor: Any = reactor
        self._resolver = resolver
        self._send = send
        self._sender = check_reporter(contact)
        self._reporter = Reporter(organization, str(self._sender), hostname)
        self._https = HTTPSClient(reactor, resolver, trust_root)
        self._now = now
        self._chance = chance
        self._counts = DayCounts()
        self._timer: Any = None
        self._sending: set[Deferred[None]] = set()

    # -- counting

    def succeeded(self, exchange: Exchange) -> None:
        """A session to a server has TLS as its policy demands."""
        self._counts.succeeded(exchange)

    def failed(self, exchange: Exchange, address: str, error: MailError) -> None:
        """A session to a server has no such TLS, if ``error`` is one of TLS."""
        self._counts.failed(exchange, address, error)

    def note(self, policy: AppliedPolicy, fault: Fault) -> None:
        """A policy cannot be had, or does not name a server."""
        self._counts.note(policy, fault)

    # -- sending

    def start(self) -> None:
        """From now on, send reports after each midnight (UTC)."""
        if self._timer is None:
            self._timer = self._reactor.callLater(_DAY - self._now() % _DAY, self._day_over)

    def stop(self) -> None:
        """Send no more, and give up what is being sent."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for each in list(self._sending):
            each.cancel()

    def _day_over(self) -> None:
        self._timer = None
        self.start()
        counts, self._counts = self._counts, DayCounts()
        end = round(self._now() / _DAY) * _DAY
        sending = ensureDeferred(self._send_all(counts, end))
        self._sending.add(sending)
        sending.addErrback(lambda failure: failure.trap(CancelledError) and None)
        sending.addErrback(lambda failure: self._log.failure("Sending reports about TLS", failure))
        sending.addBoth(lambda _: self._sending.discard(sending))

    async def _send_all(self, counts: DayCounts, end: int) -> None:
        """The reports of a day, one after the other, in the time over which they are spread."""
        domains = counts.by_domain()
        for domain, policies in domains.items():
            await deferLater(self._reactor, 2 * self._chance() * SPREAD / len(domains))
            report = TLSReport(self._reporter, domain, uuid.uuid4().hex, end - _DAY, end, policies)
            try:
                await self._send_report(report)
            except (MailError, HTTPSFailed) as error:
                self._log.warn(
                    "The report about TLS for {domain} cannot be sent: {error}",
                    domain=domain,
                    error=printable(str(error)),
                )

    async def _send_report(self, report: TLSReport) -> None:
        """To each address that the domain has for that; an error is raised when all were tried."""
        try:
            answer = await ask(self._resolver, f"_smtp._tls.{report.domain}", "TXT")
        except DNSFailure:
            return
        failure: Exception | None = None
        for address in report_addresses(answer.records):
            try:
                if address.lower().startswith("https:"):
                    kind = {"Content-Type": "application/tlsrpt+gzip"}
                    await self._https.post(address, report.packed(), kind)
                else:
                    content = report.message(address, self._now())
                    await settle(self._send(self._sender, Address.parse(address), content))
            except (MailError, HTTPSFailed) as error:
                failure = error
        if failure is not None:
            raise failure

"""`MTASTS`: the policies of MTA-STS (RFC 8461), fetched when they are needed, and kept."""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure

from mailproto._arguments import check_call, check_methods, text_path
from mailproto._logger import PackageLogger
from mailproto._twisted_arguments import check_clock
from mailproto.printable import printable
from mailproto.relay._dns import DNSFailure, Lookup
from mailproto.relay._hosts import ask
from mailproto.relay._tls._counts import Fault, FaultCounter
from mailproto.relay._tls._https import HTTPSClient
from mailproto.relay._tls._sts_fetch import FetchFailed, PolicyHost
from mailproto.relay._tls._sts_policy import STSPolicy, policy_id, sts_applied
from mailproto.relay._tls._sts_store import KeptPolicy, STSStore
from mailproto.typing import Reactor

__all__ = ["MEMORY_LIMIT", "MTASTS", "RETRY_SECONDS"]

RETRY_SECONDS: Final = 300
"""Seconds for which a policy is not asked for again after that has failed (RFC 8461 3.3)."""

MEMORY_LIMIT: Final = 1000
"""The most policies that are in memory; others are read from their files."""

FETCHES_LIMIT: Final = 50
"""The most policies that are fetched at a time; other domains count as without a fresh one."""


class MTASTS:
    """Knows the policies of domains.

    A policy is fetched if the domain announces one that is not known (``_mta-sts``), and once more when half
    of its time has passed, so that it does not end.  One that is known counts until its end, whatever
    becomes of the announcement.

    :param reactor: Twisted's reactor; its threads read and write files.
    :param resolver: what asks the DNS.
    :param folder: where policies are kept.
    :param trust_root: a file of CA certificates in PEM form, for the hosts of policies; None for the
        platform's.
    :param port: of HTTPS, for tests.
    :param now: the time in seconds since 1970.
    :param counts: where policies that cannot be had are counted, for reports.
    """

    _log = PackageLogger()

    def __init__(
        self,
        reactor: Reactor,
        resolver: Lookup,
        folder: str | os.PathLike[str],
        *,
        trust_root: str | os.PathLike[str] | None = None,
        port: int = 443,
        now: Callable[[], float] = time.time,
        counts: FaultCounter | None = None,
    ) -> None:
        check_clock("reactor", reactor)
        check_call("now", now, "a function that returns the time", 0)
        check_methods("resolver", resolver, "a DNSResolver", "look_up")
        self._reactor: Any = reactor
        self._resolver = resolver
        self._store = STSStore(text_path("folder", folder, "the path of a folder"))
        self._host = PolicyHost(HTTPSClient(reactor, resolver, trust_root), port=port)
        self._now = now
        self._counts = counts
        self._known: OrderedDict[str, KeptPolicy] = OrderedDict()  # the last used at the end
        self._names: set[str] | None = None  # of the files
        self._fetching: dict[str, list[Deferred[None]]] = {}
        self._not_before: OrderedDict[str, float] = OrderedDict()  # when a failed one is fetched again

    async def policy(self, domain: str) -> STSPolicy | None:
        """The policy of a domain; None if it has none, or none that can be had.  Never raises.

        :param domain: in A-labels and lower case.
        """
        kept = await self._kept(domain)
        announced = await self._announced(domain)
        if announced is not None:
            if kept is None or kept.id != announced:
                await self._fetch(domain, announced)
                kept = await self._kept(domain)
            elif self._now() > kept.fetched + kept.policy.max_age / 2:
                ensureDeferred(self._fetch(domain, announced))  # nobody waits for it
        return None if kept is None else kept.policy

    async def _kept(self, domain: str) -> KeptPolicy | None:
        """The policy that is known and has not ended."""
        kept = self._known.get(domain)
        if kept is not None:
            self._known.move_to_end(domain)
        else:
            kept = await self._stored(domain)
        return None if kept is None or self._now() >= kept.end else kept

    async def _stored(self, domain: str) -> KeptPolicy | None:
        """The policy on disk; most domains have none, so files are only looked for where there are some."""
        try:
            if self._names is None:
                self._names = await self._in_thread(self._store.names)
            if self._store.name(domain) not in self._names:
                return None
            kept: KeptPolicy | None = await self._in_thread(self._store.load, domain)
        except OSError as error:
            self._log.warn(
                "The policy of {domain} (MTA-STS) cannot be read: {error}", domain=domain, error=error
            )
            return None
        if domain not in self._known and kept is not None:  # a newer one may have come in the meantime
            self._remember(domain, kept)
        return self._known.get(domain)

    def _remember(self, domain: str, kept: KeptPolicy) -> None:
        self._known[domain] = kept
        self._known.move_to_end(domain)
        while len(self._known) > MEMORY_LIMIT:
            self._known.popitem(last=False)

    async def _announced(self, domain: str) -> str | None:
        try:
            answer = await ask(self._resolver, f"_mta-sts.{domain}", "TXT")
        except DNSFailure:
            return None
        return policy_id(answer.records)

    async def _fetch(self, domain: str, announced: str) -> None:
        """Fetch and keep a policy, unless that has just failed; all who want it at the same time wait for
        one attempt."""
        if domain in self._fetching:
            waiter: Deferred[None] = Deferred()
            self._fetching[domain].append(waiter)
            return await waiter
        if self._reactor.seconds() < self._not_before.get(domain, 0) or len(self._fetching) >= FETCHES_LIMIT:
            return None
        self._fetching[domain] = []
        try:
            await self._fetch_now(domain, announced)
        except Exception:
            self._log.failure("Fetching the policy of {domain} (MTA-STS)", domain=domain, failure=Failure())
        for waiter in self._fetching.pop(domain):
            waiter.callback(None)
        return None

    async def _fetch_now(self, domain: str, announced: str) -> None:
        self._not_before.pop(domain, None)
        try:
            octets, policy = await self._host.fetch(domain)
        except FetchFailed as error:
            self._not_before[domain] = self._reactor.seconds() + RETRY_SECONDS
            while len(self._not_before) > MEMORY_LIMIT:
                self._not_before.popitem(last=False)
            if self._counts is not None:
                self._counts.note(sts_applied(domain, None), Fault(error.result, reason=str(error)[:200]))
            self._log.warn(
                "The policy of {domain} (MTA-STS) cannot be fetched: {error}",
                domain=domain,
                error=printable(str(error)),
            )
            return
        kept = KeptPolicy(announced, self._now(), policy)
        self._remember(domain, kept)
        try:
            self._names = await self._in_thread(self._store.save, domain, kept, octets)
        except OSError as error:
            self._log.warn(
                "The policy of {domain} (MTA-STS) cannot be kept: {error}", domain=domain, error=error
            )

    def _in_thread(self, call: Callable[..., Any], *arguments: Any) -> Deferred[Any]:
        return deferToThreadPool(self._reactor, self._reactor.getThreadPool(), call, *arguments)

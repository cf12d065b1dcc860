"""A service that sends what is in the queue."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, succeed
from twisted.internet.task import deferLater

from mailproto._logger import PackageLogger
from mailproto.awaiting import settle
from mailproto.dkim import KeyFolder
from mailproto.interfaces import IQueue, IQueueStore
from mailproto.observing import Observers
from mailproto.relay import QueueDelivery, RelayAgent, Routes
from mailproto.relay.limits import Schedule
from mailproto.relay.policies import MTASTS, TLSPolicies, TLSReports
from mailproto.relay.servers import DNSResolver, Exchanges, Opener
from mailproto.service._data import DataService
from mailproto.service._dkim_command import DKIM_FOLDER
from mailproto.service._grouping import group
from mailproto.service._remembered_limits import SendLimits, remember_limits
from mailproto.service._remembered_routes import remember_routes
from mailproto.service._reporting import Reporter
from mailproto.service._servers import ServersService
from mailproto.service._settings import Settings
from mailproto.service._store import StoreService
from mailproto.service._tls_reports import tls_reports

__all__ = ["RelayService"]

GROUP_AGAIN = 60.0
"""Seconds after which a queue that could not be grouped is grouped again."""

_MTA_STS = "mta-sts"
"""The folder of policies in the data folder."""


class RelayService(Service):
    """Sends what is in the queue, if anything may be sent.

    :param own_addresses: returns the (address, port) where this server listens for mail from others.
    """

    log = PackageLogger()

    def __init__(
        self,
        settings: Settings,
        data: DataService,
        store: StoreService,
        servers: ServersService,
        reporter: Reporter,
        *,
        reactor: Any,
        observers: Observers,
        own_addresses: Callable[[], Sequence[tuple[str, int]]],
    ) -> None:
        self._settings = settings
        self._data = data
        self._store = store
        self._servers = servers
        self._reporter = reporter
        self._reactor = reactor
        self._observers = observers
        self._own_addresses = own_addresses
        self._agent: RelayAgent | None = None
        self._beginning: Deferred[None] = succeed(None)
        self._reports: TLSReports | None = None

    def startService(self) -> Deferred[None]:
        """Begin to send; the result fires when it has begun."""
        super().startService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._start())

    def stopService(self) -> Deferred[None]:
        """End; what is being sent has some seconds left."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    async def _start(self) -> None:
        settings = self._settings
        self._remember_limits()
        delivery = self._servers.delivery
        if not isinstance(delivery, QueueDelivery) or not IQueueStore.providedBy(self._store.store):
            self._reporter.relaying("off")
            self._remember("off", {})
            return
        routes = settings.relay.routes_for(settings.domains)
        way = settings.relay.way_for(settings.domains)
        self._reporter.relaying(str(routes))
        for hop in settings.relay.unverified(settings.domains):
            self.log.warn(
                "{hop}: only SCRAM is used to sign in there, because no certificate says whose server it is: "
                "other ways would show it the password; without ?tls={tls} they are used, too",
                hop=hop,
                tls=hop.tls,
            )
        queue = self._store.store.queue
        if routes.sends_nothing:
            self._remember(way, settings.relay.routes)
            await self._warn_of_the_queue(queue)
            return
        # A long queue takes its time, and mail may come meanwhile: it has its right destinations.
        self._beginning = Deferred.fromCoroutine(self._begin(queue, delivery, routes, way))

    async def _begin(self, queue: IQueue, delivery: QueueDelivery, routes: Routes, way: str) -> None:
        """Send what is in the queue, once it is grouped."""
        try:
            while not await self._is_grouped(queue, way):
                waiting: Deferred[None] = deferLater(self._reactor, GROUP_AGAIN)
                await waiting
        except CancelledError:  # the server stops
            return
        self._agent = self._make_agent(queue, delivery, routes)
        self._agent.start()

    async def _is_grouped(self, queue: IQueue, way: str) -> bool:
        try:
            await group(queue, self._data.folder, way, self._settings.relay.routes)
        except OSError as error:
            self._complain(error)
        except CancelledError:
            raise
        except Exception:
            self.log.failure("nothing is sent yet: the queue cannot be grouped by its next hops now")
            return False
        return True

    async def _stop(self) -> None:
        self._beginning.cancel()
        await self._beginning
        agent, self._agent = self._agent, None
        reports, self._reports = self._reports, None
        if reports is not None:
            reports.stop()
        if agent is not None:
            await agent.stop()

    def _remember_limits(self) -> None:
        relay = self._settings.relay
        limits = SendLimits(relay.lifetime, relay.delay_notice, self._settings.max_message_size)
        try:
            remember_limits(self._data.folder, limits)
        except OSError as error:
            self.log.warn("mailproto send does not know this server's limits: {error}", error=error)

    def _remember(self, way: str, routes: Mapping[str, str]) -> None:
        try:
            remember_routes(self._data.folder, way, routes)
        except OSError as error:
            self._complain(error)

    def _complain(self, error: OSError) -> None:
        self.log.warn("mailproto send does not know this server's routes: {error}", error=error)

    def _make_agent(self, queue: IQueue, delivery: QueueDelivery, routes: Routes) -> RelayAgent:
        settings, relay = self._settings, self._settings.relay
        resolver = DNSResolver(self._reactor, relay.servers)
        reports = self._reports = tls_reports(settings, queue, delivery, resolver, self._reactor)
        if reports is not None:
            reports.start()
        sts = MTASTS(self._reactor, resolver, self._data.folder / _MTA_STS, counts=reports)
        exchanges = Exchanges(
            resolver,
            mx_port=relay.mx_port,
            own_names=[settings.hostname],
            own_addresses=self._own_addresses(),
            policies=TLSPolicies(resolver, sts, reports),
        )
        return RelayAgent(
            self._reactor,
            queue,
            routes,
            exchanges,
            Opener(self._reactor, hostname=settings.hostname, counts=reports),
            prepare_report=delivery.prepare,
            hostname=settings.hostname,
            schedule=Schedule(
                retry=relay.retry,
                longest_wait=max(relay.retry, Schedule().longest_wait),
                lifetime=relay.lifetime,
                delay_notice=relay.delay_notice,
            ),
            limits=settings.limits.relay,
            observer=self._observers,
            spool_folder=str(self._data.spool_folder),
            signing_keys=KeyFolder(self._data.folder / DKIM_FOLDER),
        )

    async def _warn_of_the_queue(self, queue: IQueue) -> None:
        counts = await settle(queue.counts(time.time()))
        if counts.messages:
            self.log.warn(
                "{count} messages stay in the queue: no mail is sent to other domains, see --relay",
                count=counts.messages,
            )

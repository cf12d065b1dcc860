"""`RelayAgent`: takes messages from the queue to their destinations."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from random import Random

from twisted.internet.defer import Deferred

from mailproto._arguments import check_call, check_line, check_methods, check_type, folder_of
from mailproto._twisted_arguments import check_clock, check_contract
from mailproto.dkim import KeyFolder
from mailproto.interfaces import IQueue
from mailproto.maillog import MailLog
from mailproto.observing import ObserverOrMore, Observers
from mailproto.relay._conversion import Converter
from mailproto.relay._exchanges import Exchanges
from mailproto.relay._found_ways import FoundWays
from mailproto.relay._limits import RelayLimits
from mailproto.relay._opening import Opener
from mailproto.relay._routes import Routes
from mailproto.relay._schedule import Schedule
from mailproto.relay._settling import PrepareReport
from mailproto.relay._worker import Worker
from mailproto.typing import Reactor

__all__ = ["RelayAgent"]


class RelayAgent:
    """Takes the messages of a queue to their recipients' servers, and tells senders what became of them.

    ::

        agent = RelayAgent(reactor, queue, Routes("mx"), exchanges, opener, prepare_report=prepare_report)
        agent.start()
        ...
        await agent.stop()

    Several agents, in several processes, may share one queue.

    :param reactor: Twisted's reactor.
    :param queue: the queue of a store, which must have started before the agent does.
    :param routes: the next hop of each domain.
    :param exchanges: finds the servers of a next hop.
    :param opener: opens clients to servers.
    :param prepare_report: called with a report (`mailproto.delivery.reports.Report`); returns what enters the
        queue, or None if nobody can get it, or an awaitable of that; such as `QueueDelivery.prepare`.
    :param hostname: this server's name in reports.
    :param schedule: when messages are tried again, and given up.
    :param limits: how much is done at a time.
    :param observer: who is told of each attempt (`mailproto.observing`), besides the mail log.
    :param spool_folder: where large messages that have to be converted are put for a while; None for the
        system's folder of temporary files.
    :param signing_keys: those of `QueueDelivery`, to sign again what has to be converted for a server; None
        for no signatures.
    :param random: spreads the attempts.
    :param now: gives the seconds since the epoch.
    :raises TypeError, ValueError: an argument is not valid.
    """

    def __init__(
        self,
        reactor: Reactor,
        queue: IQueue,
        routes: Routes,
        exchanges: Exchanges,
        opener: Opener,
        *,
        prepare_report: PrepareReport,
        hostname: str = "localhost",
        schedule: Schedule | None = None,
        limits: RelayLimits | None = None,
        observer: ObserverOrMore | None = None,
        spool_folder: str | os.PathLike[str] | None = None,
        signing_keys: KeyFolder | None = None,
        now: Callable[[], float] = time.time,
        random: Random | None = None,
    ) -> None:
        check_clock("reactor", reactor)
        check_contract("queue", queue, IQueue)
        check_type("routes", routes, Routes, "a Routes")
        check_methods("exchanges", exchanges, "an Exchanges", "find")
        check_methods("opener", opener, "an Opener", "open_client")
        check_call(
            "prepare_report",
            prepare_report,
            "a function that takes a report, such as QueueDelivery.prepare",
            1,
        )
        check_line("hostname", hostname)
        check_call("now", now, "a function that gives seconds, such as time.time", 0)
        if schedule is not None:
            check_type("schedule", schedule, Schedule, "a Schedule or None")
        if limits is not None:
            check_type("limits", limits, RelayLimits, "a RelayLimits or None")
        check_type("signing_keys", signing_keys, (KeyFolder, type(None)), "a KeyFolder or None")
        check_type("random", random, (Random, type(None)), "a random.Random or None")
        self._is_started = False
        self._worker = Worker(
            reactor,
            queue,
            FoundWays(routes, exchanges, opener),
            prepare_report=prepare_report,
            hostname=hostname,
            schedule=schedule or Schedule(),
            limits=limits or RelayLimits(),
            observers=Observers([MailLog(reactor), *Observers(observer).observers]),
            converter=Converter(reactor, folder_of("spool_folder", spool_folder), signing_keys),
            now=now,
            random=random or Random(),  # noqa: S311 - it only spreads attempts
        )

    def start(self) -> None:
        """Begin to work.

        :raises RuntimeError: it has been started already.
        """
        if self._is_started:
            raise RuntimeError("the agent has been started already")
        self._is_started = True
        self._worker.start()

    def stop(self) -> Deferred[None]:
        """End: finish the messages that are being sent, give back the others, close all connections.

        :returns: fires when nothing is leased any more; never fails.
        """
        return self._worker.stop()

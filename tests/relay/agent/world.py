"""A world in memory for the agent: a queue, domains, servers that behave as a test says, and time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import Content
from mailproto.delivery.reports import Report
from mailproto.dkim import KeyFolder
from mailproto.errors import MailError
from mailproto.model import (
    Address,
    Envelope,
    NewQueued,
    Outcome,
    Parameters,
    QueueCounts,
    QueueState,
    Recipient,
    Session,
)
from mailproto.observing import Observer, Relayed, Unreached
from mailproto.relay import NextHop, RelayAgent, Routes
from mailproto.relay._exchange import TLSDemand
from mailproto.relay.limits import RelayLimits, Schedule
from mailproto.relay.servers import Exchange, Opener
from mailproto.smtp.limits import SMTPTimeouts
from mailproto.smtp.wire import mail_options
from tests.relay.agent.watched_queue import WatchedQueue
from tests.smtp.client.network import Network, serving

HOME = "10.9.9.9"
"""The server of the senders' domain."""

CONTENT = b"Subject: Hello\r\n\r\nHi.\r\n"

NO_JITTER = Random()
NO_JITTER.uniform = lambda a, b: (a + b) / 2  # type: ignore[method-assign]


class Witness(Observer):
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.relayed_: list[Relayed] = []
        self.unreached_: list[Unreached] = []

    def relayed(self, event: Relayed) -> None:
        self.relayed_.append(event)

    def unreached(self, event: Unreached) -> None:
        self.unreached_.append(event)


class World(SynchronousTestCase):
    """A test's world.

    :ivar ahead: by how many seconds the system's clock has been set, forward or back; the reactor's goes on.
    :ivar domains: the addresses of a domain's servers (``mx.shared.example=10.0.0.1`` with a name), or the
        error of finding them; by default each domain has one server, ``10.0.0.1``.
    :ivar servers: what the server at an address does (`serving`); by default it takes everything.
    """

    schedule = Schedule(retry=60, longest_wait=3600, lifetime=5 * 86400, delay_notice=4 * 3600)
    limits = RelayLimits()
    signing_keys: KeyFolder | None = None

    def setUp(self) -> None:
        self.ahead = 0.0
        self.domains: dict[str, Sequence[str] | MailError] = {"home.example": [HOME]}
        self.servers: dict[str, Mapping[str, Any]] = {}
        self.network = Network(lambda host, _: self.servers.get(host, serving()), {})
        self.network.rightNow = 1_000_000.0
        self.queue = WatchedQueue()
        self.witness = Witness()
        self.lines: list[str] = []
        self.asked_for: list[tuple[str, bool | None]] = []
        self._watch_log()
        self.agent = self.make_agent()

    def _watch_log(self) -> None:
        def observe(event: Any) -> None:
            if event.get("log_namespace") == "mail":
                self.lines.append(event["line"])

        publisher: Any = globalLogPublisher
        publisher.addObserver(observe)
        self.addCleanup(publisher.removeObserver, observe)

    def make_agent(self) -> RelayAgent:
        network = self.network
        opener = Opener(network, hostname="relay.example", timeouts=SMTPTimeouts(connect=30))
        return RelayAgent(
            network,
            self.queue,
            Routes("mx"),
            self,  # type: ignore[arg-type]
            opener,
            prepare_report=self.prepare_report,
            hostname="relay.example",
            schedule=self.schedule,
            limits=self.limits,
            observer=self.witness,
            signing_keys=self.signing_keys,
            now=self.now,
            random=NO_JITTER,
        )

    # -- what the agent is given

    def now(self) -> float:
        """The seconds since the epoch, as far as the system knows."""
        return self.network.seconds() + self.ahead

    async def find(
        self, next_hop: NextHop, domain: str, *, require_tls: bool | None = None
    ) -> Sequence[Exchange]:
        self.asked_for.append((domain, require_tls))
        found = self.domains.get(domain, ("10.0.0.1",))
        if isinstance(found, MailError):
            raise found
        named = [each.split("=") if "=" in each else [f"mx{each[-1]}.{domain}", each] for each in found]
        return [Exchange(host, (address,), tls=TLSDemand("none")) for host, address in named]

    async def prepare_report(self, report: Report) -> NewQueued:
        arrived = self.now()
        envelope = Envelope(
            f"report{len(self.queue.reports)}",
            report.sender,
            report.recipients,
            Session("ESMTP", "relay.example"),
            report.parameters,
        )
        domain = report.recipients[0].address.domain
        return NewQueued(report.content, envelope, (domain,), arrived, arrived + self.schedule.lifetime)

    # -- the story

    def send(
        self,
        *recipients: str | Recipient,
        sender: str = "alice@home.example",
        content: bytes | Content = CONTENT,
        parameters: Parameters | None = None,
        id: str = "M1",
        due: float = 0.0,
        priority: int = 0,
    ) -> None:
        """Put a message on the queue."""
        taken = tuple(
            each if isinstance(each, Recipient) else Recipient(Address.parse(each)) for each in recipients
        )
        envelope = Envelope(
            id, Address.parse(sender), taken, Session("ESMTP", "relay.example"), parameters or {}
        )
        now = self.now()
        by = mail_options(envelope.parameters).deliver_by
        lifetime = by.seconds if by is not None and by.returned else self.schedule.lifetime
        notice = max(now, due) + self.schedule.delay_notice
        if by is not None and not by.returned:
            notice = min(notice, now + by.seconds)
        new = NewQueued(
            content,
            envelope,
            tuple(each.address.domain for each in taken),
            now,
            now + lifetime,
            due=due,
            priority=priority,
            notice=notice,
        )
        self.successResultOf(ensureDeferred(self.queue.add([new])))

    def run_for(self, seconds: float) -> None:
        """Let time pass, from one timer to the next."""
        end = self.network.seconds() + seconds
        for _ in range(200_000):
            due = min((call.getTime() for call in self.network.getDelayedCalls()), default=end + 1)
            if due > end:
                self.network.advance(end - self.network.seconds())
                return
            self.network.advance(max(due - self.network.seconds(), 0))
        raise AssertionError("something is done over and over")

    def stop(self) -> None:
        """Stop the agent; everything must end."""
        done = self.agent.stop()
        self.run_for(60)
        self.successResultOf(done)

    # -- what happened

    def counts(self) -> QueueCounts:
        """How much is in the queue."""
        return self.successResultOf(ensureDeferred(self.queue.counts(self.now())))

    @property
    def arrived(self) -> list[str]:
        """The recipients to which a message came, in order."""
        return [line.split("<", 1)[1].split(">")[0] for line, _ in self.network.taken]

    def states(self, recipient: str) -> list[tuple[QueueState, Outcome]]:
        """What the queue was told about a recipient."""
        return [(result.state, result.outcome) for address, result in self.queue.done if address == recipient]

    def waits_of(self, recipient: str) -> list[float]:
        """Seconds from each attempt to the next one."""
        return [
            round(result.due - self.network.seconds())
            for address, result in self.queue.done
            if address == recipient
        ]

    def asked(self) -> list[str]:
        """The addresses that were connected to, but for those of the reports' recipient."""
        return [each for each in self.network.asked if each != HOME]

    def reports(self) -> list[str]:
        """The texts of all reports."""
        return [bytes(Content.of(each.content)).decode() for each in self.queue.reports]

"""Taking mail: an `IDelivery` that puts it into mailboxes here and onto the queue, all of it or nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import TypeAlias

from twisted.internet.threads import deferToThread
from zope.interface import implementer

from mailproto._arguments import check_call, check_line, check_seconds, check_type, wrong_type, wrong_value
from mailproto._logger import PackageLogger
from mailproto._twisted_arguments import check_contract, provided
from mailproto.awaiting import settle
from mailproto.connection.proxy import Networks
from mailproto.content import Content, Octets
from mailproto.delivery import Delivery, bounce
from mailproto.delivery._base import DELIVERED
from mailproto.delivery._return_path import return_path, with_return_path
from mailproto.delivery.reports import Action, RecipientStatus, Report, report
from mailproto.dkim import KeyFolder, author_domain, signatures
from mailproto.errors import MailError, Refused, RelayDenied
from mailproto.interfaces import IDelivery, IOwnership, IPlacing, IQueueRunner, IQueueStore
from mailproto.model import (
    Address,
    Envelope,
    NewQueued,
    Outcome,
    Parameters,
    Placement,
    QueueChange,
    QueueFilter,
    QueueState,
    ServiceExtensions,
    Session,
)
from mailproto.relay._routes import Routes
from mailproto.smtp.wire import mail_options

__all__ = ["LIFETIME", "MAX_HOLD", "QueueDelivery", "check_relay_from"]

LIFETIME = 5 * 86_400.0
"""Seconds for which a message is tried."""

MAX_HOLD = 30 * 86_400
"""The most seconds for which a client may have a message held (FUTURERELEASE)."""

_QUEUED = Outcome(250, "2.0.0", "Queued")

InThread: TypeAlias = Callable[..., Awaitable[bytes]]

_Place: TypeAlias = tuple[Placement, ...] | str | MailError
"""Mailboxes here, a destination, or the reason why there is neither."""


def _signatures(keys: KeyFolder, content: Content) -> bytes:
    domain = author_domain(content)
    return signatures(content, domain, keys.find(domain)) if domain else b""


def check_relay_from(name: str, networks: Networks) -> None:
    """Check the networks whose clients may send anywhere.

    :raises ValueError: Unix sockets are among them: their clients look like those whose address a proxy does
        not know (`Session.peer`).
    """
    if "" in networks:
        hint = "let clients of Unix sockets use submission"
        raise wrong_value(name, "unix", "networks and addresses", hint)


@implementer(IOwnership, IQueueRunner)
class QueueDelivery(Delivery):
    """Takes mail for mailboxes here and for other servers: what is accepted is on disk, all of it or nothing.

    - Copies for mailboxes here and copies for other servers are stored in one transaction.
    - Mail for other domains is taken from clients that have signed in, and from those in ``relay_from``;
      anybody else is refused (550 5.7.1).
    - If SMTP's one reply hides that a mailbox here got no copy, the sender gets a report (RFC 3464).  He also
      gets one of success if he asks for it (NOTIFY=SUCCESS).
    - Only a client that may send anywhere can make its messages urgent (MT-PRIORITY above 0).

    :param store: has the queue; `mailproto.relay.RelayAgent` sends what is in it.
    :param local: such as `mailproto.delivery.MailboxDelivery`.
    :param routes: where mail for other domains goes.
    :param relay_from: the networks whose clients may send anywhere without AUTH.
    :param lifetime: seconds for which a message is tried.
    :param signing_keys: sign what enters the queue from clients that may send anywhere, if the author's
        domain has keys (DKIM).
    :param hostname: this server's name in reports; by default that of the session.
    :param clock: gives the seconds since the epoch.
    :param in_thread: calls a function in a thread, and returns a Deferred of its result.
    :raises TypeError: an argument is of the wrong type; ``local`` does not provide `IPlacing`.
    """

    log = PackageLogger()

    service_extensions = ServiceExtensions(
        dsn=True, require_tls=True, deliver_by=0, mt_priority="", future_release=MAX_HOLD
    )

    def __init__(
        self,
        store: IQueueStore,
        local: IDelivery,
        routes: Routes,
        *,
        relay_from: Networks | Iterable[str] = (),
        lifetime: float = LIFETIME,
        signing_keys: KeyFolder | None = None,
        hostname: str = "",
        clock: Callable[[], float] = time.time,
        in_thread: InThread = deferToThread,
    ) -> None:
        check_contract("store", store, IQueueStore)
        check_contract("local", local, IDelivery)
        check_type("routes", routes, Routes, "a Routes")
        placing = provided(IPlacing, local)
        if placing is None:
            takes = "an IDelivery that provides IPlacing"
            raise wrong_type(
                "local", local, takes, "write mailproto.delivery.MailboxDelivery(store, domains)"
            )
        check_seconds("lifetime", lifetime, above_0=True)
        check_type("signing_keys", signing_keys, (KeyFolder, type(None)), "a KeyFolder or None")
        check_line("hostname", hostname)
        check_call("clock", clock, "a function that gives seconds, such as time.time", 0)
        check_call("in_thread", in_thread, "a function such as Twisted's deferToThread", 2)
        self._queue = store.queue
        self._local = local
        self._placing: IPlacing = placing
        self._routes = routes
        self._relay_from = Networks.of("relay_from", relay_from)
        check_relay_from("relay_from", self._relay_from)
        self._lifetime = lifetime
        self._keys = signing_keys
        self._in_thread = in_thread
        self._hostname = hostname
        self._clock = clock

    # -- who may send, and to whom

    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:
        """See `IDelivery.sender`."""
        await settle(self._local.sender(session, path, parameters))

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        """See `IDelivery.recipient`.

        :raises RelayDenied: the domain is not ours, and this client may not send there, or nobody may.
        """
        try:
            await settle(self._placing.place(path))
        except RelayDenied:
            if not self._may_send_anywhere(session):
                raise
            if self._destination(path) is None:
                raise RelayDenied("This server sends no mail to that domain") from None
        else:
            await settle(self._local.recipient(session, path, parameters))

    async def owns(self, account: str, path: Address) -> bool:
        """See `IOwnership.owns`: as ``local`` says."""
        owner = provided(IOwnership, self._local)
        return owner is not None and await settle(owner.owns(account, path))

    async def run_queue(self, session: Session, node: str) -> int | None:
        """See `IQueueRunner.run_queue`: for clients that may send anywhere, and for domains only.

        :raises MailError: as there.
        """
        if not self._may_send_anywhere(session):
            raise Refused(459, "4.7.1", "You may not start the queue")
        if node.startswith("#"):
            raise Refused(458, "4.3.0", "There is no such queue")
        wanted, started, after = QueueFilter(domain=node, state=QueueState.WAITING), 0, 0
        while page := await settle(self._queue.find(wanted, after=after)):
            after = page[-1].id
            started += len(await settle(self._queue.change([each.id for each in page], QueueChange.RETRY)))
        return started

    def _may_send_anywhere(self, session: Session) -> bool:
        if session.protocol == "LMTP":  # for final delivery (RFC 2033 1)
            return False
        return session.account is not None or session.peer in self._relay_from

    def _destination(self, path: Address) -> str | None:
        """The destination of mail for other servers; None if it is not sent."""
        if not path.domain or self._routes.next_hop(path.domain) is None:
            return None
        return self._routes.key(path.domain)

    # -- messages

    async def deliver(self, envelope: Envelope, content: Octets) -> Sequence[Outcome]:
        """See `IDelivery.deliver`.

        :raises MailError: the message is for another server, too, and could not be stored: nobody gets it.
        """
        content = Content.of(content)
        places = [await self._place(recipient.address) for recipient in envelope.recipients]
        if any(isinstance(place, str) for place in places):
            return await self._accept(envelope, content, places)
        result = await settle(self._local.deliver(envelope, content))
        outcomes = result or [DELIVERED] * len(envelope.recipients)
        reports = await self._prepared(self._reports(envelope, outcomes, content))
        if reports:
            await settle(self._queue.add(reports))
        return outcomes

    async def prepare(self, message: Report) -> NewQueued | None:
        """Make a report ready for `IQueue.add` or `IQueue.settle`.

        :returns: None if nobody can get it: its recipient is no mailbox here, and no mail is sent there.
        """
        session = Session("ESMTP", self._hostname)
        envelope = Envelope(uuid.uuid4().hex, message.sender, message.recipients, session, message.parameters)
        places = [await self._place(recipient.address) for recipient in envelope.recipients]
        with suppress(MailError):
            return self._new(envelope, await self._signed(message.content), places)
        return None

    async def _accept(
        self, envelope: Envelope, content: Content, places: Sequence[_Place]
    ) -> Sequence[Outcome]:
        """Put a message onto the queue, with its copies for mailboxes here and a report of their success."""
        if self._may_send_anywhere(envelope.session):
            content = await self._signed(content)
        new = self._new(envelope, content, places)
        outcomes = [DELIVERED if destination is None else _QUEUED for destination in new.destinations]
        here = [place for place, to in enumerate(new.destinations) if to is None]
        reports = await self._prepared(self._successes(envelope, outcomes, here, content))
        await settle(self._queue.add([new, *reports]))
        return outcomes

    async def _signed(self, content: Content) -> Content:
        """The message with signatures, if its author's domain has keys; without them if a key is broken."""
        if self._keys is None:
            return content
        try:
            fields = await self._in_thread(_signatures, self._keys, content)
        except (OSError, ValueError) as error:
            self.log.error("A message is not signed: {error}", error=error)
            return content
        return content.prepend(fields) if fields else content

    async def _place(self, path: Address) -> _Place:
        """Where mail for an address goes: mailboxes here, a destination, or nowhere."""
        try:
            return tuple(await settle(self._placing.place(path)))
        except RelayDenied as error:
            return self._destination(path) or error
        except MailError as error:  # such as an account that was deleted since RCPT
            return error

    def _new(self, envelope: Envelope, content: Content, places: Sequence[_Place]) -> NewQueued:
        """:raises MailError: one of the recipients has no place."""
        placements: dict[Placement, None] = {}
        destinations: list[str | None] = []
        for place in places:
            if isinstance(place, MailError):
                raise place
            destinations.append(place if isinstance(place, str) else None)
            if not isinstance(place, str):
                placements.update(dict.fromkeys(place))
        session, options, now = envelope.session, mail_options(envelope.parameters), self._clock()
        due = now if options.hold_for is None else now + options.hold_for
        due = due if options.hold_until is None else options.hold_until
        may_hurry = self._may_send_anywhere(session)
        return NewQueued(
            content=with_return_path(envelope.sender, content) if placements else content,
            envelope=envelope,
            destinations=tuple(destinations),
            arrived=now,
            expires=max(now, due) + self._lifetime,
            placements=tuple(placements),
            skip=len(return_path(envelope.sender)) if placements else 0,
            due=due,
            priority=min(options.priority or 0, 9 if may_hurry else 0),
            share=session.account or session.peer,
        )

    # -- reports

    async def _prepared(self, reports: Iterable[Report | None]) -> list[NewQueued]:
        prepared = [await self.prepare(each) for each in reports if each is not None]
        return [each for each in prepared if each is not None]

    def _reports(
        self, envelope: Envelope, outcomes: Sequence[Outcome], content: Content
    ) -> Iterator[Report | None]:
        """What the sender is told of copies for mailboxes here.

        LMTP has a reply for each recipient, and SMTP refuses a message that nobody got: then no failure is
        left to tell.
        """
        stored = [index for index, outcome in enumerate(outcomes) if outcome.accepted]
        yield from self._successes(envelope, outcomes, stored, content)
        if 0 < len(stored) < len(outcomes) and envelope.session.protocol != "LMTP":
            yield bounce(envelope, outcomes, content, hostname=self._hostname, clock=self._clock)

    def _successes(
        self, envelope: Envelope, outcomes: Sequence[Outcome], stored: Iterable[int], content: Content
    ) -> Iterator[Report | None]:
        """A report of success, to a sender who wants one (RFC 3461 4.1)."""
        statuses = [
            RecipientStatus(envelope.recipients[index], outcomes[index], Action.DELIVERED)
            for index in stored
            if envelope.recipients[index].parameters
        ]
        if statuses:
            yield report(envelope, statuses, content, hostname=self._hostname, clock=self._clock)

"""Taking mail: an `IDelivery` that puts it into mailboxes here and onto the queue, all of it or nothing."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace

from twisted.internet.threads import deferToThread
from zope.interface import implementer

from mailproto._arguments import check_call, check_line, check_seconds, check_type, wrong_type
from mailproto._logger import PackageLogger
from mailproto._twisted_arguments import check_contract, provided
from mailproto.awaiting import settle
from mailproto.connection.proxy import Networks
from mailproto.content import Content, Octets
from mailproto.delivery._base import DELIVERED
from mailproto.delivery.reports import Report
from mailproto.dkim import KeyFolder
from mailproto.domains import canonical_domain
from mailproto.errors import MailError, OverQuota, Refused, RelayDenied
from mailproto.interfaces import (
    IAliases,
    IDelivery,
    IOwnership,
    IPlacing,
    IQueueStore,
)
from mailproto.maillog import MailLog
from mailproto.model import (
    Address,
    Envelope,
    NewQueued,
    Outcome,
    Parameters,
    Recipient,
    ServiceExtensions,
    Session,
)
from mailproto.observing import Expanded, ObserverOrMore, Observers
from mailproto.relay._alias_limits import AliasLimits
from mailproto.relay._delivered_to import earlier_deliveries, is_in
from mailproto.relay._enquiries import Enquiries
from mailproto.relay._expansion import Expander, Expansion
from mailproto.relay._forms import Forming, Forms, InThread
from mailproto.relay._intake_reports import IntakeReports, outcome_of, outcome_of_alias
from mailproto.relay._making import Maker, grouped
from mailproto.relay._permission import Permission
from mailproto.relay._places import Place, Places, without_full
from mailproto.relay._routes import Routes
from mailproto.relay._schedule import Schedule
from mailproto.relay._srs import SRS
from mailproto.relay._telling import tell_reported

__all__ = ["MAX_HOLD", "QueueDelivery"]

_DEFAULT = Schedule()

MAX_HOLD = 30 * 86_400
"""The most seconds for which a client may have a message held (FUTURERELEASE)."""

_QUEUED = Outcome(250, "2.0.0", "Queued", detail="queued")


@implementer(IOwnership)
class QueueDelivery(Enquiries):
    """Takes mail for mailboxes here and for other servers: what is accepted is on disk, all of it or nothing.

    - Copies for mailboxes here and copies for other servers are stored in one transaction.
    - Mail for other domains is taken from clients that have signed in, and from those in ``relay_from``;
      anybody else is refused (550 5.7.1).
    - An address of another server is not looked up again for a second: a new account for it waits that long.
    - Who has no room for a message is refused alone, if others get it.
    - If SMTP's one reply hides that a mailbox here got no copy, the sender gets a report (RFC 3464).  He also
      gets one of success if he asks for it (NOTIFY=SUCCESS).
    - Only a client that may send anywhere can make its messages urgent (MT-PRIORITY above 0).
    - Aliases are expanded, with one line in the mail log for each.  Mail from anybody goes on to their
      results, also to other servers: then with a reverse-path of this server (SRS), unless the sender belongs
      here.
    - Binary messages (BINARYMIME) go on as they are.  Mailboxes here get them in lines, as IMAP and POP3 send
      them: parts with binary octets are encoded.  One whose signature does not allow that is refused (554
      5.6.3).
    - Clients that have signed in are told whether an address exists here (VRFY), and where the mail of an
      alias goes (EXPN); others are not.
    - Mail that an alias has sent on and that comes back to it is refused (554 5.4.6).

    :param store: has the queue; `mailproto.relay.RelayAgent` sends what is in it.
    :param local: such as `mailproto.delivery.MailboxDelivery`.
    :param routes: where mail for other domains goes.
    :param relay_from: the networks whose clients may send anywhere without AUTH.
    :param lifetime: seconds for which a message is tried.
    :param delay_notice: seconds after which its sender is told that it is late; 0 for never.  Both are those
        of the agent's `Schedule`.
    :param aliases: which addresses get the mail of others; None for none.
    :param alias_limits: how far aliases may go.
    :param srs: makes the reverse-paths of what aliases send to other servers, and takes mail that comes back;
        None to keep the senders'.
    :param signing_keys: sign what enters the queue from clients that may send anywhere, if the author's
        domain has keys (DKIM); what an account sends, only if that is the domain of the account, or of the
        address from which it sends.  Octets above 127 are encoded before.
    :param hostname: this server's name in reports; by default that of the session.
    :param spool_folder: for binary messages while they are converted; None for the system's.
    :param observer: who is told of each alias (`mailproto.observing`), besides the mail log.
    :param clock: gives the seconds since the epoch.
    :param in_thread: calls a function in a thread, and returns a Deferred of its result.
    :raises TypeError: an argument is of the wrong type; ``local`` does not provide `IPlacing`.
    """

    log = PackageLogger()
    service_extensions = ServiceExtensions(
        binary_mime=True, dsn=True, require_tls=True, deliver_by=0, mt_priority="", future_release=MAX_HOLD
    )

    def __init__(
        self,
        store: IQueueStore,
        local: IDelivery,
        routes: Routes,
        *,
        relay_from: Networks | Iterable[str] = (),
        lifetime: float = _DEFAULT.lifetime,
        delay_notice: float = _DEFAULT.delay_notice,
        aliases: IAliases | None = None,
        alias_limits: AliasLimits | None = None,
        srs: SRS | None = None,
        signing_keys: KeyFolder | None = None,
        hostname: str = "",
        spool_folder: str | None = None,
        observer: ObserverOrMore | None = None,
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
        check_seconds("delay_notice", delay_notice)
        if aliases is not None:
            check_contract("aliases", aliases, IAliases)
        check_type("alias_limits", alias_limits, (AliasLimits, type(None)), "an AliasLimits or None")
        check_type("srs", srs, (SRS, type(None)), "an SRS or None")
        check_type("signing_keys", signing_keys, (KeyFolder, type(None)), "a KeyFolder or None")
        check_line("hostname", hostname)
        check_type("spool_folder", spool_folder, (str, type(None)), "the path of a folder, or None")
        check_call("clock", clock, "a function that gives seconds, such as time.time", 0)
        check_call("in_thread", in_thread, "a function such as Twisted's deferToThread", 2)
        self._queue = store.queue
        self._local = local
        self._places = Places(placing, routes, clock)
        self._permission = Permission("relay_from", relay_from)
        self._expander = Expander(self._places, aliases, srs, alias_limits or AliasLimits())
        self._maker = Maker(lifetime, delay_notice, srs)
        self._reports = IntakeReports(hostname, clock)
        self._forming = Forming(signing_keys, in_thread, spool_folder)
        self._hostname = hostname
        self._observers = Observers([MailLog(), *Observers(observer).observers])
        self._clock = clock

    # -- who may send, and to whom

    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:
        """See `IDelivery.sender`."""
        await settle(self._local.sender(session, path, parameters))

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        """See `IDelivery.recipient`.

        :raises RelayDenied: the domain is not ours, and this client may not send there, or nobody may.
        :raises MailError: nobody would get the mail of an alias.
        """
        recipient = (Recipient(path, parameters),)
        if self._expander.may_change(recipient):
            [expansion] = await self._expander.expand(recipient)
            error = expansion.error
            if error is not None and (expansion.is_alias or not isinstance(error, RelayDenied)):
                raise error
            if expansion.is_alias:
                return
        may_send = self._permission.may_send_anywhere(session)
        if may_send and self._places.known_elsewhere(path):
            return  # a busy client names the same few again and again
        try:
            await self._places.mailboxes(path)
        except RelayDenied:
            if not may_send:
                raise
            if self._places.destination(path) is None:
                raise RelayDenied("This server sends no mail to that domain") from None
            self._places.note_elsewhere(path)
        else:
            await settle(self._local.recipient(session, path, parameters))

    async def owns(self, account: str, path: Address) -> bool:
        """See `IOwnership.owns`: as ``local`` says; and an alias belongs to whom alone it leads to."""
        owner = provided(IOwnership, self._local)
        if owner is None:
            return False
        if await settle(owner.owns(account, path)):
            return True
        recipient = (Recipient(path),)
        if not self._expander.may_change(recipient):
            return False
        [expansion] = await self._expander.expand(recipient)
        copies = expansion.copies
        if not expansion.is_alias or len(copies) != 1 or not isinstance(copies[0].place, tuple):
            return False
        return await settle(owner.owns(account, copies[0].recipient.address))

    # -- messages

    async def deliver(self, envelope: Envelope, content: Octets) -> Sequence[Outcome]:
        """See `IDelivery.deliver`.

        :raises MailError: the message is for another server, too, and could not be stored: nobody gets it.
        """
        content = Content.of(content)
        if self._expander.may_change(envelope.recipients):
            expansions = await self._expander.expand(envelope.recipients)
            if any(expansion.is_alias for expansion in expansions):
                self._tell(envelope.id, expansions)
                return await self._deliver_expanded(envelope, content, expansions)
            places = [expansion.copies[0].place for expansion in expansions]
        else:
            find, known = self._places.find, self._places.known_elsewhere
            places = [known(each.address) or await find(each.address) for each in envelope.recipients]
        if any(isinstance(place, str) for place in places):
            return await self._accept(envelope, content, places)
        kept = (await self._forming.forms(envelope, content, places)).kept
        outcomes = await settle(self._local.deliver(envelope, kept)) or [DELIVERED] * len(places)
        await self._add(envelope, (), self._reports.of_copies(envelope, outcomes, content))
        return outcomes

    async def prepare(self, message: Report) -> NewQueued | None:
        """Make a report ready for `IQueue.add` or `IQueue.settle`.

        :returns: None if nobody can get it: its recipient is no mailbox here, and no mail is sent there.
        """
        session = Session("ESMTP", self._hostname)
        envelope = Envelope(uuid.uuid4().hex, message.sender, message.recipients, session, message.parameters)
        with suppress(MailError):
            expansions = await self._expander.expand(envelope.recipients)
            self._tell(envelope.id, expansions)
            forms = await self._forming.signed(message.parameters, Forms(message.content, message.content))
            new = await self._groups(envelope, forms, expansions)
            return new[0] if new else None
        return None

    async def _accept(
        self, envelope: Envelope, content: Content, places: Sequence[Place]
    ) -> Sequence[Outcome]:
        """Put a message onto the queue, with its copies for mailboxes here and a report of their success."""
        may_send = self._permission.may_send_anywhere(envelope.session)
        forms = await self._forming.forms(envelope, content, places)
        if may_send and self._forming.has_keys:
            forms = await self._signed(envelope, forms)
        now, rest = self._clock(), list(places)
        while True:
            kept = [index for index, place in enumerate(rest) if not isinstance(place, OverQuota)]
            part, given = envelope, rest
            if len(kept) < len(rest):
                part = replace(envelope, recipients=tuple(envelope.recipients[index] for index in kept))
                given = [rest[index] for index in kept]
            new = self._maker.make(part, forms, given, now=now, may_hurry=may_send)
            outcomes = [_outcome(place) for place in rest]
            here = [index for index in kept if not isinstance(rest[index], str)]
            reports = [self._reports.of_success(envelope, outcomes, here, content)]
            reports.append(self._reports.of_failure(envelope, outcomes, content))
            try:
                await self._add(envelope, new, reports)
            except OverQuota as error:
                rest = without_full(rest, error)
            else:
                return outcomes

    # -- messages with aliases

    async def _deliver_expanded(
        self, envelope: Envelope, content: Content, expansions: Sequence[Expansion]
    ) -> Sequence[Outcome]:
        """Deliver a message of which others get copies than those whom the client named."""
        may_send = self._permission.may_send_anywhere(envelope.session)
        leaves = any(expansion.leaves for expansion in expansions)
        earlier = earlier_deliveries(content) if leaves else frozenset()
        for expansion in expansions:
            if expansion.leaves and is_in(expansion.recipient.address, earlier):
                text = "The message has been here before: it goes in circles"
                expansion.refuse(Refused(554, "5.4.6", text))
            elif not expansion.is_alias and not may_send and isinstance(expansion.copies[0].place, str):
                expansion.refuse(RelayDenied())  # it was an alias at RCPT
        is_all_here = not any(isinstance(copy.place, str) for each in expansions for copy in each.copies)
        store = self._store_here if is_all_here else self._store_all
        outcomes = await store(envelope, content, expansions)
        return [outcome_of_alias(each) for each in outcomes]

    async def _store_here(
        self, envelope: Envelope, content: Content, expansions: Sequence[Expansion]
    ) -> list[list[Outcome]]:
        """Deliver a message to mailboxes here: each may refuse its copy."""
        copies = [copy for each in expansions for copy in each.copies if isinstance(copy.place, tuple)]
        given: list[Outcome] = []
        if copies:
            here = replace(envelope, recipients=tuple(copy.recipient for copy in copies))
            kept = (await self._forming.forms(envelope, content, [copy.place for copy in copies])).kept
            result = await settle(self._local.deliver(here, kept))
            given = list(result or [DELIVERED] * len(copies))
        left = iter(given)
        outcomes = [
            [
                outcome_of(copy.place) if isinstance(copy.place, MailError) else next(left)
                for copy in each.copies
            ]
            for each in expansions
        ]
        report = self._reports.of_expansions(envelope, expansions, outcomes, content)
        await self._add(envelope, (), [report])
        return outcomes

    async def _store_all(
        self, envelope: Envelope, content: Content, expansions: Sequence[Expansion]
    ) -> list[list[Outcome]]:
        """Store a message for mailboxes here and for other servers: all of it, or nothing."""
        places = [copy.place for each in expansions for copy in each.copies]
        forms = await self._forming.forms(envelope, content, places)
        if self._permission.may_send_anywhere(envelope.session):
            forms = await self._signed(envelope, forms)
        while True:
            outcomes = [[_outcome(copy.place) for copy in each.copies] for each in expansions]
            new = await self._groups(envelope, forms, expansions)
            report = self._reports.of_expansions(envelope, expansions, outcomes, content)
            try:
                await self._add(envelope, new, [report])
            except OverQuota as error:
                places = without_full(places, error)
                left = iter(places)
                for each in expansions:
                    each.copies = [copy._replace(place=next(left)) for copy in each.copies]
            else:
                return outcomes

    async def _groups(
        self, envelope: Envelope, forms: Forms, expansions: Sequence[Expansion]
    ) -> list[NewQueued]:
        """What is added to the queue for a message.

        :raises MailError: a recipient that is no alias has no place.
        """
        now, may_hurry = self._clock(), self._permission.may_send_anywhere(envelope.session)
        is_from_here = not envelope.sender or await self._places.is_ours(envelope.sender)
        return [
            new
            for group in await grouped(expansions)
            for new in self._maker.make_group(
                envelope, forms, group, now=now, may_hurry=may_hurry, is_from_here=is_from_here
            )
        ]

    def _tell(self, id: str, expansions: Sequence[Expansion]) -> None:
        for expansion in expansions:
            for alias, addresses in expansion.steps:
                self._observers.expanded(Expanded(id, alias, addresses))

    # -- forms, signatures and reports

    async def _signed(self, envelope: Envelope, forms: Forms) -> Forms:
        return await self._forming.signed(envelope.parameters, forms, await self._domains_of(envelope))

    async def _domains_of(self, envelope: Envelope) -> Collection[str] | None:
        """The domains that may sign what an account sends: no account signs for others'.  None for all."""
        account = envelope.session.account
        if account is None or not self._forming.has_keys:
            return None
        domains = {canonical_domain(account.rpartition("@")[2])}
        if envelope.sender.domain and await self.owns(account, envelope.sender):
            domains.add(canonical_domain(envelope.sender.domain))
        return domains

    async def _add(self, of: Envelope, new: Sequence[NewQueued], reports: Iterable[Report | None]) -> None:
        """Add to the queue what was made of a message, with reports about it."""
        prepared = []
        for report in filter(None, reports):
            if made := await self.prepare(report):
                prepared.append(made)
            else:
                self.log.warn("nobody can get the report about message {id}", id=of.id)
        if new or prepared:
            await settle(self._queue.add([*new, *prepared]))
        tell_reported(self._observers, of.id, prepared)


def _outcome(place: Place) -> Outcome:
    if isinstance(place, MailError):
        return outcome_of(place)
    return _QUEUED if isinstance(place, str) else DELIVERED

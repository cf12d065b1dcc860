"""Passing mail on to another server while the client waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from twisted.internet.interfaces import IReactorThreads
from twisted.internet.threads import deferToThreadPool
from zope.interface import implementer

from mailproto._arguments import check_call, check_type
from mailproto._reactor import installed
from mailproto._twisted_arguments import check_clock
from mailproto.awaiting import settle
from mailproto.client import ServerAddress
from mailproto.content import Content, Octets
from mailproto.delivery._sessions import DeliverySession
from mailproto.interfaces import IDeliverySessions, IServiceExtensions
from mailproto.model import (
    NO_SERVICE_EXTENSIONS,
    Address,
    Envelope,
    Outcome,
    Parameters,
    ServiceExtensions,
    Session,
)
from mailproto.smtp import SMTPClient
from mailproto.smtp.limits import SMTPTimeouts
from mailproto.smtp.lmtp import LMTPClient
from mailproto.typing import Reactor

__all__ = ["LMTPDelivery", "SMTPDelivery"]


@implementer(IDeliverySessions, IServiceExtensions)
class SMTPDelivery:
    """Asks another server, the next hop, about each command while the client waits for the reply.

    So what the next hop refuses is refused, with its words, and no bounces are needed.  Each client has a
    connection of its own to the next hop.  To look at messages, give a function, or override `filter`::

        def filtered(content):
            return content.prepend(b"X-Filter: seen\\r\\n")

        next_hop = ServerAddress("mail.example.org", 25, tls="opportunistic")
        SMTPServerFactory(SMTPDelivery(next_hop, filter_in_thread=filtered))

    :param server: the next hop; a str is a host's name, and TLS is required then.
    :param hostname: this server's name in EHLO; by default, that of the machine.
    :param timeouts: how long the next hop may take; by default, `mailproto.smtp.SMTPTimeouts` as they are.
    :param service_extensions: the ESMTP extensions to offer, because the next hop has them.
    :param filter_in_thread: called in a thread with each message's `Content`; returns what is passed on
        instead, or raises a `MailError` to refuse the message (`mailproto.errors.Refused`).
    :param reactor: None for the installed one.
    :raises TypeError: an argument is of the wrong type.
    """

    client_class: ClassVar[type[SMTPClient]] = SMTPClient

    def __init__(
        self,
        server: ServerAddress | str,
        *,
        hostname: str = "",
        timeouts: SMTPTimeouts | None = None,
        service_extensions: ServiceExtensions = NO_SERVICE_EXTENSIONS,
        filter_in_thread: Callable[[Content], Octets] | None = None,
        reactor: Reactor | None = None,
    ) -> None:
        if isinstance(server, str):
            server = ServerAddress(server)
        check_type("server", server, ServerAddress, "a ServerAddress or a host's name")
        check_type("timeouts", timeouts, (SMTPTimeouts, type(None)), "an SMTPTimeouts or None")
        check_type("service_extensions", service_extensions, ServiceExtensions, "a ServiceExtensions")
        if filter_in_thread is not None:
            check_call("filter_in_thread", filter_in_thread, "a function of a message's Content", 1)
        reactor = installed() if reactor is None else reactor
        check_clock("reactor", reactor)
        self.client_class(reactor, hostname=hostname)  # refuses a wrong name now
        self.server = server
        self.service_extensions = service_extensions
        self._reactor = reactor
        self._filter_in_thread = filter_in_thread
        self._settings = {"hostname": hostname, "timeouts": timeouts}

    def filter(self, envelope: Envelope, content: Content) -> Any:
        """What is passed on instead of a message; by default, what ``filter_in_thread`` returns.

        It may be plain, a coroutine, or return a ``Deferred`` (`mailproto.awaiting.Result`).  Large messages
        are looked at in a thread, so that others need not wait.

        :raises MailError: to refuse the message (`mailproto.errors.Refused`).
        """
        look, reactor = self._filter_in_thread, self._reactor
        if look is None:
            return content
        if not IReactorThreads.providedBy(reactor):  # a test
            return look(content)
        return deferToThreadPool(reactor, reactor.getThreadPool(), look, content)

    @property
    def changes(self) -> bool:
        """Whether messages are looked at, and may be changed."""
        return self._filter_in_thread is not None or type(self).filter is not SMTPDelivery.filter

    async def begin(self, session: Session) -> DeliverySession:
        """See `IDeliverySessions.begin`."""
        return SMTPDeliverySession(session, self)

    async def open(self) -> SMTPClient:
        """A new connection to the next hop."""
        return await self.client_class.open(self._reactor, self.server, **self._settings)


class LMTPDelivery(SMTPDelivery):
    """The same for a next hop that speaks LMTP (RFC 2033): it has a reply for each recipient.

    The clients of an LMTP server (`mailproto.smtp.lmtp.LMTPServerFactory`) get all of them.  Those of an
    SMTP server get one: 250 if anybody got the message, and the log warns of each recipient who did not.
    """

    client_class = LMTPClient


class SMTPDeliverySession(DeliverySession):
    """One client, and its connection to the next hop."""

    def __init__(self, session: Session, delivery: SMTPDelivery) -> None:
        super().__init__(session)
        self._delivery = delivery
        self._changes = delivery.changes
        self._hop: SMTPClient | None = None

    async def sender(self, session: Session, path: Address, parameters: Parameters) -> None:
        if self._hop is None or not self._hop.is_usable:
            self._hop = await self._delivery.open()
        if self._changes:  # SIZE is that of the message before it is changed
            parameters = {name: value for name, value in parameters.items() if name != "SIZE"}
        await self._hop.mail(path, parameters)

    async def recipient(self, session: Session, path: Address, parameters: Parameters) -> None:
        assert self._hop is not None  # noqa: S101 - `sender` was called first
        await self._hop.rcpt(path, parameters)

    async def deliver(self, envelope: Envelope, content: Content) -> list[Outcome]:
        assert self._hop is not None  # noqa: S101 - `sender` was called first
        if self._changes:
            try:
                content = Content.of(await settle(self._delivery.filter(envelope, content)))
            except BaseException:  # refused, or cancelled because it took too long
                await self.reset()
                raise
        return await self._hop.data(content)

    async def reset(self) -> None:
        if self._hop is not None and self._hop.is_usable:
            await self._hop.rset()

    async def end(self) -> None:
        if self._hop is not None:
            await self._hop.quit()

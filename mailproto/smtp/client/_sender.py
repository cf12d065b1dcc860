"""`SMTPSender`: sends many messages over a pool of connections."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message as EmailPackageMessage
from typing import Any

from twisted.internet.defer import Deferred, fail

from mailproto._arguments import check_bool, check_seconds, check_whole
from mailproto._twisted_arguments import check_clock
from mailproto.client import ClientPool, ServerAddress
from mailproto.client.errors import ConnectionLost
from mailproto.content import Octets
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._client import SMTPClient
from mailproto.smtp.client._composing import Recipients, compose_in_thread
from mailproto.smtp.client._lmtp import LMTPClient
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._own_name import check_own_name
from mailproto.smtp.client._send_mail import SendJob, SendResult, checked_server, result_of
from mailproto.smtp.client._timeouts import SMTPTimeouts, checked_timeouts
from mailproto.typing import Reactor

__all__ = ["SMTPSender"]

MAX_PIPELINED_MESSAGES = 2
"""Messages given to one connection at a time: the second one's commands follow the first one's content."""


class SMTPSender:
    """Sends many messages to one server over a few connections, which are reused.

    If the server takes fewer connections than ``connections`` (421, or refused), more are tried after
    a pause, which grows from one second to half a minute.

    :param reactor: Twisted's reactor; its threads are used for large messages.
    :param server: the server's address; a str is a host name, and TLS is required then.
    :param connections: the most connections at a time; further messages wait.
    :param idle: seconds after which an unused connection is closed.
    :param messages: the most messages over one connection; fewer if the server announces fewer
        transactions (RFC 9422 MAILMAX).
    :param wait: seconds that a message may wait for a connection; then its result is `QueueTimeout`.
        After that, ``timeouts`` limit how long the server may take.
    :param lmtp: whether the server speaks LMTP.
    :param hostname: this client's name in EHLO; by default, this machine's name or address.
    :param timeouts: how long the server may take for each step; by default, `SMTPTimeouts` as they are.
    :raises TypeError: an argument is of the wrong type.
    :raises ValueError: with these numbers nothing could be sent.
    """

    def __init__(
        self,
        reactor: Reactor,
        server: ServerAddress | str,
        *,
        connections: int = 5,
        idle: float = 30,
        messages: int = 1000,
        wait: float = 900,
        lmtp: bool = False,
        hostname: str = "",
        timeouts: SMTPTimeouts | None = None,
    ) -> None:
        check_clock("reactor", reactor)
        address = checked_server(server)
        check_whole("connections", connections, 1)
        check_whole("messages", messages, 1)
        check_seconds("idle", idle)
        check_seconds("wait", wait)
        check_bool("lmtp", lmtp)
        check_own_name(hostname)
        timeouts = checked_timeouts(timeouts)
        kind = LMTPClient if lmtp else SMTPClient
        self._reactor = reactor
        self._wait = wait
        self._pool = ClientPool(
            reactor,
            lambda: kind.open(reactor, address, hostname=hostname, timeouts=timeouts),
            address.name(kind.default_port(address)),
            connections=connections,
            idle=idle,
            jobs=messages,
            at_once=MAX_PIPELINED_MESSAGES,
        )

    async def send_mail(
        self,
        message: str | bytes | EmailPackageMessage[Any, Any],
        *,
        sender: Address | str | None = None,
        recipients: Recipients | None = None,
        parameters: Parameters = NO_PARAMETERS,
        wait: float | None = None,
    ) -> SendResult:
        """Send a message as `mailproto.smtp.send_mail` does; it raises the errors of that and of `send`."""
        if self._pool.is_closed:
            raise ConnectionLost("The sender is closed")
        with self._pool.coming():
            composed = await compose_in_thread(self._reactor, message, sender, recipients)
            sent = self._put(composed.sender, composed.recipients, composed.content, parameters, wait)
        return result_of(composed, await sent)

    def send(
        self,
        sender: Address | str,
        recipients: Sequence[Recipient | Address | str],
        content: Octets,
        parameters: Parameters = NO_PARAMETERS,
        *,
        wait: float | None = None,
    ) -> Deferred[list[Outcome]]:
        """Send a message as `SMTPClient.send` does, as soon as a connection is free.

        If a connection is lost before any of the content was sent, the message is sent over another
        one.  At most two new connections are tried, or ten if the server still serves others.
        Connections that had sent other messages before do not count.  A message that may have been
        delivered is never sent again: its outcome is `UNCERTAIN`.

        Cancelling the `Deferred` takes a waiting message out of the queue.  If the message is being
        sent, its connection is closed, and the message may still be delivered.

        :param sender, recipients, content, parameters: as in `SMTPClient.send`.
        :param wait: seconds, used instead of the sender's ``wait``.
        :returns: fires with one `Outcome` for each of ``recipients``, in that order.
        :raises QueueTimeout: the message waited too long; nothing of it was sent.
        :raises ClientError: no connection could be made, connections were lost too often, or the
            sender was closed.
        :raises ValueError: as in `SMTPClient.send`.
        """
        if self._pool.is_closed:
            return fail(ConnectionLost("The sender is closed"))
        return self._put(sender, recipients, content, parameters, wait)

    def _put(
        self,
        sender: Address | str,
        recipients: Sequence[Recipient | Address | str],
        content: Octets,
        parameters: Parameters,
        wait: float | None,
    ) -> Deferred[list[Outcome]]:
        job = SendJob(Message(sender, recipients, content, parameters))
        self._pool.add(job, self._wait if wait is None else wait)
        return job.result

    def close(self) -> Deferred[None]:
        """Send the waiting messages, then close all connections; fires when they are closed."""
        return self._pool.close()

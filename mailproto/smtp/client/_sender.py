"""A pool of connections, for those who send a lot."""

from __future__ import annotations

from collections.abc import Sequence
from email.message import Message as EmailPackageMessage
from typing import Any

from twisted.internet.defer import Deferred, fail

from mailproto.client import ClientPool, ConnectionLost, ServerAddress
from mailproto.content import Content
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._client import LMTPClient, SMTPClient
from mailproto.smtp.client._composing import Recipients, compose_in_thread
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._own_name import check_own_name
from mailproto.smtp.client._send_mail import SendJob, SendResult, result_of
from mailproto.smtp.client._timeouts import SMTPTimeouts

__all__ = ["SMTPSender"]

MAX_PIPELINED_MESSAGES = 2
"""Messages given to one connection: the second one's commands go after the first one's content."""


class SMTPSender:
    """Sends many messages to one server over a few connections that are used again.

    A server that takes fewer connections than ``connections`` (421, or refused) is asked
    again after a while: a second at first, half a minute at most.

    :param connections: at once; more messages wait.
    :param idle: seconds until a connection that has nothing to send is closed.
    :param messages: for one connection; a smaller number of transactions that the server announces
        (RFC 9422 MAILMAX) is kept.
    :param wait: seconds that a message may wait for its turn; then `QueueTimeout` is its result.
        Once it has its turn, ``timeouts`` say how long the server may take.
    :param lmtp: whether the server speaks LMTP.
    :param hostname: what we call ourselves; by default this machine's name or address.
    :raises ValueError: one of these allows nothing to be sent.
    """

    def __init__(
        self,
        reactor: Any,
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
        if connections < 1 or messages < 1 or idle < 0 or wait < 0:
            raise ValueError("connections and messages are at least 1, idle and wait at least 0")
        check_own_name(hostname)
        if isinstance(server, str):
            server = ServerAddress(server)
        kind = LMTPClient if lmtp else SMTPClient
        self._reactor = reactor
        self._wait = wait
        self._pool = ClientPool(
            reactor,
            lambda: kind.open(reactor, server, hostname=hostname, timeouts=timeouts),
            server.name(kind.default_port(server)),
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
        """Send a message as `mailproto.smtp.send_mail` does, and with its errors and those of `send`."""
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
        content: Content,
        parameters: Parameters = NO_PARAMETERS,
        *,
        wait: float | None = None,
    ) -> Deferred[list[Outcome]]:
        """Send a message as `SMTPClient.send` does, when a connection is free.

        Where a connection is lost before anything of the content was sent, another one has the
        message.  Two new ones are tried at most, or ten where the server serves others
        meanwhile; those that had sent other messages before do not count.  What may have been
        delivered is never sent again: its outcome is `UNCERTAIN`.

        To cancel the `Deferred` takes the message back: from the queue at once; if it is
        underway, its connection ends, and it may be delivered all the same.

        :param wait: instead of the pool's own.
        :raises QueueTimeout: it waited for too long, and nothing of it was sent.
        :raises ClientError: no connection could be had, or it was lost too often, or this was
            closed.
        :raises ValueError: as `SMTPClient.send`.
        """
        if self._pool.is_closed:
            return fail(ConnectionLost("The sender is closed"))
        return self._put(sender, recipients, content, parameters, wait)

    def _put(
        self,
        sender: Address | str,
        recipients: Sequence[Recipient | Address | str],
        content: Content,
        parameters: Parameters,
        wait: float | None,
    ) -> Deferred[list[Outcome]]:
        job = SendJob(Message(sender, recipients, content, parameters))
        self._pool.add(job, self._wait if wait is None else wait)
        return job.result

    def close(self) -> Deferred[None]:
        """Send what waits, then close all connections; fires when they are gone."""
        return self._pool.close()

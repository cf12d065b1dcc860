"""A pool of connections, for those who send a lot."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from email.message import Message as EmailPackageMessage
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred, fail
from twisted.python.failure import Failure

from mailproto.content import Content
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._client import SMTPClient
from mailproto.smtp.client._composing import Recipients
from mailproto.smtp.client._composing_apart import compose_apart
from mailproto.smtp.client._errors import ConnectionLost
from mailproto.smtp.client._job import Job
from mailproto.smtp.client._mail_server import MailServer, open_client
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._pooled import PooledConnection
from mailproto.smtp.client._send_mail import SendResult, result_of

__all__ = ["SMTPSender"]


class SMTPSender:
    """Sends many messages to one server over a few connections that are used again.

    :param connections: at once; more messages wait.
    :param idle: seconds until a connection that has nothing to send is closed.
    :param messages: for one connection; a smaller number of transactions that the server announces
        (RFC 9422 MAILMAX) is kept.
    """

    def __init__(
        self,
        reactor: Any,
        server: MailServer | str,
        *,
        connections: int = 5,
        idle: float = 30,
        messages: int = 1000,
    ) -> None:
        self._reactor = reactor
        self._server = MailServer(server) if isinstance(server, str) else server
        self._limit = connections
        self._idle = idle
        self._messages = messages
        self._jobs: deque[Job] = deque()
        self._pool: list[PooledConnection] = []
        self._opening = 0
        self._composing = 0  # messages that will wait; closing waits for them
        self._is_going_on = self._is_to_go_on = False
        self._is_crowded = False  # the server did not take as many connections
        self._closed: list[Deferred[None]] | None = None

    async def send_mail(
        self,
        message: str | bytes | EmailPackageMessage[Any, Any],
        *,
        sender: Address | str | None = None,
        recipients: Recipients | None = None,
        parameters: Parameters = NO_PARAMETERS,
    ) -> SendResult:
        """Send a message as `mailproto.smtp.send_mail` does, and with its errors."""
        if self._closed is not None:
            raise ConnectionLost("The sender is closed")
        self._composing += 1
        try:
            composed = await compose_apart(self._reactor, message, sender, recipients)
            sent = self._put(composed.sender, composed.recipients, composed.content, parameters)
        finally:
            self._composing -= 1
            self._go_on()
        return result_of(composed, await sent)

    def send(
        self,
        sender: Address | str,
        recipients: Sequence[Recipient | Address | str],
        content: Content,
        parameters: Parameters = NO_PARAMETERS,
    ) -> Deferred[list[Outcome]]:
        """Send a message as `SMTPClient.send` does, when a connection is free.

        One that is lost before the server answered anything is replaced, once.  To cancel it
        helps as long as the message waits.

        :raises SMTPClientError: no connection could be had, or was lost twice, or this was
            closed.
        :raises ValueError: as `SMTPClient.send`.
        """
        if self._closed is not None:
            return fail(ConnectionLost("The sender is closed"))
        return self._put(sender, recipients, content, parameters)

    def _put(
        self,
        sender: Address | str,
        recipients: Sequence[Recipient | Address | str],
        content: Content,
        parameters: Parameters,
    ) -> Deferred[list[Outcome]]:
        job = Job(Message(sender, recipients, content, parameters))
        self._jobs.append(job)
        self._go_on()
        return job.result

    def close(self) -> Deferred[None]:
        """Send what waits, then close all connections; fires when they are gone."""
        done: Deferred[None] = Deferred()
        if self._closed is None:
            self._closed = []
        self._closed.append(done)
        self._go_on()
        return done

    # -- who sends what

    def _go_on(self) -> None:
        """Do what can be done, until nothing can.

        Many things that are done may make others possible at once, and call this: they must
        not do them inside each other, for there may be thousands.
        """
        self._is_to_go_on = True
        if self._is_going_on:
            return
        self._is_going_on = True
        try:
            while self._is_to_go_on:
                self._is_to_go_on = False
                self._take_steps()
        finally:
            self._is_going_on = False

    def _take_steps(self) -> None:
        """Give messages to connections, open what lacks, close what nobody needs."""
        jobs = self._jobs
        while jobs and (connection := self._free()) is not None:
            job = jobs.popleft()
            if not job.is_cancelled:
                connection.send(job)
        while len(jobs) > self._opening and not self._is_full:
            self._opening += 1
            ensureDeferred(open_client(self._reactor, self._server)).addCallbacks(self._opened, self._failed)
        if self._closed is not None and not jobs and not self._composing:
            for connection in list(self._pool):
                if not connection.underway:
                    connection.leave()
            if not self._pool and not self._opening:
                waiting, self._closed = self._closed, []
                for waiter in waiting:
                    waiter.callback(None)

    @property
    def _is_full(self) -> bool:
        return self._is_crowded or len(self._pool) + self._opening >= self._limit

    def _free(self) -> PooledConnection | None:
        """An idle connection; when there can be no more of them, the one that has least to do."""
        best = None
        for connection in self._pool:
            if connection.has_room:
                if not connection.underway:
                    return connection
                best = best or connection
        return best if self._is_full else None

    def _opened(self, client: SMTPClient) -> None:
        self._opening -= 1
        connection = PooledConnection(
            client, messages=self._messages, idle=self._idle, free=self._go_on, again=self._jobs.appendleft
        )
        self._pool.append(connection)
        client.gone().addCallback(self._gone, connection)
        self._go_on()

    def _gone(self, _: None, connection: PooledConnection) -> None:
        connection.gone()
        self._pool.remove(connection)
        self._is_crowded = False
        self._go_on()

    def _failed(self, failure: Failure) -> None:
        """No connection: what waits is left to those that there are, if there are any."""
        self._opening -= 1
        self._is_crowded = bool(self._pool or self._opening)
        if not self._is_crowded:
            jobs = list(self._jobs)
            self._jobs.clear()
            for job in jobs:
                job.fail(failure)
        self._go_on()

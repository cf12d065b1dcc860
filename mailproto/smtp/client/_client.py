"""What a client can be asked to say to an SMTP or LMTP server (RFC 5321, RFC 2033)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from mailproto.auth import ClientCredentials
from mailproto.client import (
    AuthenticationUnavailable,
    Client,
    CommandRefused,
    ProtocolViolation,
    SASLAnswer,
    SASLStatus,
    ServerAddress,
    ServerUntrusted,
    TLSUnavailable,
    choose_mechanisms,
    sign_in,
)
from mailproto.content import Content
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._content import data_pieces
from mailproto.smtp.client._message import Message, to_address, to_recipient
from mailproto.smtp.client._own_name import hello_name, own_name
from mailproto.smtp.client._plan import render_address
from mailproto.smtp.client._session import SMTPSession
from mailproto.smtp.client._timeouts import SMTPTimeouts
from mailproto.smtp.client._transaction import END_OF_DATA
from mailproto.smtp.wire import (
    NO_CAPABILITIES,
    Capabilities,
    Reply,
    ReplyLimits,
    parse_capabilities,
    render_line,
    render_path,
)
from mailproto.tls import client_channel

__all__ = ["LMTPClient", "SMTPClient"]


class SMTPClient(Client[Reply]):
    """A connection to an SMTP server, made by `open` or `connect`::

        client = await SMTPClient.connect(reactor, endpoint, hostname="client.example")
        await client.ehlo()
        outcomes = await client.send("a@client.example", ["b@server.example"], content)
        await client.quit()

    Whatever is asked for is done in order, one after the other; `send` may be called again
    before the first has its outcomes, and is faster then.  Every method that talks to the
    server raises `ConnectionLost` (or one of its kinds) when there is no connection.

    :param clock: the reactor.
    :param hostname: what this client calls itself: a domain that leads back to it, or an
        address literal; by default this machine's name if it has a domain, or its address.
    :param timeouts: how long it waits.
    :param limits: how much the server may say at a time.
    :param pipelining: False to wait for each answer even where PIPELINING is offered.
    :param is_remote: True where the connection leads to another machine even if its other end is
        on this one, as a proxy or a tunnel: then no secret is sent in clear.
    :raises UnsafeArgument: ``hostname`` is neither, which is a ValueError.
    """

    _verb: ClassVar[str] = "EHLO"
    _answers_each: ClassVar[bool] = False
    """Whether each recipient has an answer of its own (RFC 2033)."""

    _session: SMTPSession
    timeouts: SMTPTimeouts

    def __init__(
        self,
        clock: IReactorTime,
        *,
        hostname: str = "",
        timeouts: SMTPTimeouts | None = None,
        limits: ReplyLimits | None = None,
        pipelining: bool = True,
        is_remote: bool = False,
    ) -> None:
        timeouts = timeouts or SMTPTimeouts()
        session = SMTPSession(
            clock,
            hostname=hostname,
            timeouts=timeouts,
            limits=limits,
            pipelining=pipelining,
            is_remote=is_remote,
            answers_each=self._answers_each,
        )
        super().__init__(session, timeouts)

    @classmethod
    def default_port(cls, server: ServerAddress) -> int:
        """465 with implicit TLS, 587 with credentials, otherwise 25."""
        if server.tls == "implicit":
            return 465
        return 25 if server.credentials is None else 587

    # -- what is known of the server

    @property
    def hostname(self) -> str:
        """What this client calls itself; "" before it was found."""
        return self._session.hostname

    @property
    def greeting(self) -> Reply | None:
        """The server's first words, None before they came."""
        return self._session.greeting

    @property
    def capabilities(self) -> Capabilities:
        """What the server offers, as of the last `ehlo`."""
        return self._session.capabilities

    @property
    def authenticated_by(self) -> str:
        """The mechanism by which the server took the credentials; "" before."""
        return self._session.authenticated_by

    # -- the session

    def ehlo(self, hostname: str | None = None) -> Deferred[Capabilities]:
        """Say who we are, and learn what the server offers.

        A server that does not know EHLO is greeted with HELO (RFC 5321 3.2).

        :param hostname: instead of the client's own; of an international one its A-labels are said.
        :raises CommandRefused: the server refuses both.
        :raises UnsafeArgument: the name is neither a domain nor an address literal.
        """
        return self._session.run(lambda: self._ehlo(hostname))

    def starttls(self, tls: Any) -> Deferred[Capabilities]:
        """Start TLS (RFC 3207), forget what was learnt in plaintext and say EHLO again.

        What the server sent after its go-ahead is an attack and ends the connection.

        :param tls: as from `mailproto.tls.client_tls`.
        :raises TLSUnavailable: it is not offered, or refused; the connection goes on.
        :raises TLSFailed: it failed, or the certificate is not good; the connection is over.
        """
        return self._session.run(lambda: self._starttls(tls))

    def authenticate(
        self,
        credentials: ClientCredentials,
        *,
        mechanism: str | None = None,
        allow_clear: bool = False,
    ) -> Deferred[str]:
        """Say who we are, and prove it (AUTH, RFC 4954); after `starttls`, if at all possible.

        Of what the server offers, the best mechanism that `client_mechanisms` finds is used; the
        next one only if the server refuses the mechanism itself.

        :param mechanism: the only one to be used.
        :param allow_clear: send the secret itself, if need be, without TLS, or to a server whose
            certificate was not compared with its name by what `mailproto.tls.client_tls` gave;
            otherwise to a process of this machine at most.
        :returns: the mechanism that was used.
        :raises TypeError: these are no credentials.
        :raises AuthenticationRefused: the server does not take the credentials.
        :raises AuthenticationUnavailable: no mechanism can be used; the connection goes on.
        :raises ServerUntrusted: the server could not prove that it knows the password, where
            the mechanism has it do so; the connection is closed.
        """
        return self._session.run(lambda: self._authenticate(credentials, mechanism, allow_clear))

    # -- mail

    def send(
        self,
        sender: Address | str,
        recipients: Sequence[Recipient | Address | str],
        content: Content,
        parameters: Parameters = NO_PARAMETERS,
    ) -> Deferred[list[Outcome]]:
        """Send one message.

        Lines are ended with CRLF whatever they end with in ``content``; nothing else is
        changed.  What the server does not offer and the message needs (8BITMIME, SMTPUTF8,
        room, ...) is an outcome too, without a word to the server.

        To cancel the `Deferred` does not take the message back; `abort` does, if it is not too late.

        :param sender: the reverse-path; "" or `NULL_PATH` for notifications.
        :param recipients: at least one; a `Recipient` has ESMTP parameters.  Of thousands a
            thousand are asked for in a transaction, or as many as the server announces.
        :param parameters: of MAIL, such as RET and ENVID (RFC 3461 4), their values as on the
            wire (`encode_xtext`).  DSN's are left out where DSN is not offered.
        :returns: one outcome for each of ``recipients``, in that order.  A connection that is
            lost while the message is underway is an outcome too: 451 4.4.2, and `UNCERTAIN`
            if the message may have been delivered all the same.  Where the server announces how
            many transactions it takes (RFC 9422 MAILMAX), those past it are not tried: 451 4.5.0.
        :raises ConnectionLost: before the server said anything about this message.
        :raises ValueError: a sender or recipient that is a str and no address, or no recipient.
        """
        return self._session.submit(Message(sender, recipients, content, parameters))

    def mail(self, sender: Address | str, parameters: Parameters = NO_PARAMETERS) -> Deferred[Reply]:
        """MAIL alone (RFC 5321 4.1.1.2), for those who say each command of a transaction themselves.

        Nothing is added to ``parameters`` and nothing left out; `send` does that.

        :raises CommandRefused:
        :raises ValueError: no address, or no parameters (`UnsafeArgument`).
        """
        line = render_path("MAIL FROM", render_address(to_address(sender)), parameters)
        return self._session.run(lambda: self._mail(line))

    def rcpt(
        self, recipient: Recipient | Address | str, parameters: Parameters | None = None
    ) -> Deferred[Reply]:
        """RCPT alone (4.1.1.3), after `mail`.

        :param parameters: instead of those of a `Recipient`.
        :raises CommandRefused:
        :raises ValueError: no address, or no parameters (`UnsafeArgument`).
        """
        chosen = to_recipient(recipient)
        wishes = chosen.parameters if parameters is None else parameters
        line = render_path("RCPT TO", render_address(chosen.address), wishes)
        return self._session.run(lambda: self._rcpt(line))

    def data(self, content: Content) -> Deferred[list[Reply]]:
        """DATA with the content (4.1.1.4), after `rcpt`; lines are ended with CRLF.

        :returns: the answer to it; from an LMTP server one for each recipient that was accepted.
        :raises CommandRefused: DATA was refused, or the content is by an SMTP server.
        """
        return self._session.run(lambda: self._data(content))

    # -- small commands

    def noop(self) -> Deferred[Reply]:
        """NOOP: whether the server is still there.  :raises CommandRefused:"""
        return self._session.run(lambda: self._command("NOOP"))

    def rset(self) -> Deferred[Reply]:
        """RSET (RFC 5321 4.1.1.5).  :raises CommandRefused:"""
        return self._session.run(lambda: self._command("RSET"))

    def vrfy(self, name: str) -> Deferred[Reply]:
        """VRFY; 252 says that the server would rather not tell (RFC 5321 3.5.3).

        :raises CommandRefused: for one that is not known.
        :raises UnsafeArgument: for a control character in ``name``.
        """
        return self._session.run(lambda: self._command("VRFY", name))

    def expn(self, name: str) -> Deferred[Reply]:
        """EXPN: the members of a list, one a line of the reply (RFC 5321 3.5.2).

        :raises CommandRefused: for one that is not known, or that the server does not tell.
        :raises UnsafeArgument: for a control character in ``name``.
        """
        return self._session.run(lambda: self._command("EXPN", name))

    def etrn(self, node: str) -> Deferred[Reply]:
        """ETRN: have the server send what waits for a host, or ``@domain`` (RFC 1985).

        :raises CommandRefused:
        :raises UnsafeArgument: for a control character in ``node``.
        """
        return self._session.run(lambda: self._command("ETRN", node))

    def quit(self) -> Deferred[None]:
        """Say QUIT after everything that was asked for, and close; never raises.

        :returns: fires when the connection is gone.
        """
        if self.is_usable:
            self._session.run(self._quit).addErrback(lambda _: None)
        return self.closed()

    # -- dialogues

    async def _command(self, verb: str, argument: str = "") -> Reply:
        reply = await self._session.exchange(verb, render_line(verb, argument))
        if reply.code >= 400:
            raise CommandRefused(reply=reply)
        if verb == "RSET":
            self._session.has_transaction = False
            self._session.accepted = 0
        return reply

    def _introduce(self) -> Deferred[Capabilities]:
        return self.ehlo()

    async def _ehlo(self, hostname: str | None = None) -> Capabilities:
        session = self._session
        hostname = hostname or session.hostname or own_name(session.connection.transport)
        hello = hello_name(hostname)
        session.learn(NO_CAPABILITIES)
        reply = await session.exchange(self._verb, render_line(self._verb, hello))
        if reply.code < 400:
            session.learn(parse_capabilities(reply))
        elif reply.code >= 500 and self._verb == "EHLO":
            await self._command("HELO", hello)
        else:
            raise CommandRefused(reply=reply)
        session.hostname = hostname
        session.has_transaction = False
        return session.capabilities

    async def _starttls(self, tls: Any) -> Capabilities:
        session = self._session
        if "STARTTLS" not in session.capabilities or self.is_encrypted:
            raise TLSUnavailable
        reply = await session.exchange("STARTTLS", b"STARTTLS\r\n")
        if reply.code >= 400:
            raise TLSUnavailable(reply=reply)
        session.authenticated_by = ""  # it is the beginning again (RFC 3207 4.2)
        await session.start_tls(tls)
        return await self._ehlo()

    async def _authenticate(
        self, credentials: ClientCredentials, mechanism: str | None, allow_clear: bool
    ) -> str:
        session = self._session
        if session.authenticated_by:
            raise AuthenticationUnavailable("Authenticated already")
        connection = session.connection
        mechanisms = choose_mechanisms(
            session.capabilities.mechanisms,
            credentials,
            client_channel(connection.transport, is_local=connection.is_local),
            mechanism=mechanism,
            allow_clear=allow_clear,
        )
        if session.has_transaction:
            await self._command("RSET")  # AUTH has no place in a transaction (RFC 4954 4)
        try:
            session.authenticated_by = await sign_in(mechanisms, _Auth(session), session.clock)
        except ServerUntrusted as error:
            raise session.fail(error) from None
        return session.authenticated_by

    async def _mail(self, line: bytes) -> Reply:
        session = self._session
        session.transactions += 1
        reply = await session.exchange("MAIL", line, self.timeouts.mail)
        if reply.code >= 400:
            raise CommandRefused(reply=reply)
        session.has_transaction = True
        session.accepted = 0
        return reply

    async def _rcpt(self, line: bytes) -> Reply:
        reply = await self._session.exchange("RCPT", line, self.timeouts.recipient)
        if reply.code >= 400:
            raise CommandRefused(reply=reply)
        self._session.accepted += 1
        return reply

    async def _data(self, content: Content) -> list[Reply]:
        session, timeouts = self._session, self.timeouts
        reply = await session.exchange("DATA", b"DATA\r\n", timeouts.data)
        if reply.code >= 400:
            raise CommandRefused(reply=reply)
        answers = session.accepted if self._answers_each else 1
        if not answers:  # as for `send`: there is no staying in step
            raise session.fail(ProtocolViolation("The server took DATA without a recipient"))
        pieces = data_pieces(content)
        replies = await session.stream(
            END_OF_DATA, pieces, timeouts.final, block=timeouts.block, answers=answers
        )
        session.has_transaction = False
        if replies[0].code >= 400 and not self._answers_each:
            raise CommandRefused(reply=replies[0])
        return replies

    async def _quit(self) -> None:
        await self._session.exchange("QUIT", b"QUIT\r\n", self.timeouts.quit)
        self._session.leave()


class LMTPClient(SMTPClient):
    """A connection to an LMTP server (RFC 2033): each recipient has an answer of its own.

    TCP and Unix sockets alike; never port 25.
    """

    _verb: ClassVar[str] = "LHLO"
    _answers_each: ClassVar[bool] = True

    @classmethod
    def default_port(cls, server: ServerAddress) -> int:
        """24, as is usual, and never 25 (RFC 2033 5)."""
        return 465 if server.tls == "implicit" else 24


class _Auth:
    """AUTH (RFC 4954): a mechanism's messages in the lines of SMTP (`SASLDialect`)."""

    _MAX_COMMAND = 512
    """Octets of AUTH with its initial response; a longer one follows in a line of its own (4)."""

    _STATUSES = {
        235: SASLStatus.SUCCESS,
        334: SASLStatus.CHALLENGE,
        # Not known, too weak, only in TLS: nothing was said of the credentials (6).
        504: SASLStatus.OTHER_MECHANISM,
        534: SASLStatus.OTHER_MECHANISM,
        538: SASLStatus.OTHER_MECHANISM,
    }

    def __init__(self, session: SMTPSession) -> None:
        self._exchange = partial(session.exchange, "AUTH")

    def takes_initial(self, mechanism: str, response: bytes) -> bool:
        return len(_auth_line(mechanism, response)) <= self._MAX_COMMAND

    async def begin(self, mechanism: str, initial: bytes | None) -> SASLAnswer:
        return self._read(await self._exchange(_auth_line(mechanism, initial)))

    async def respond(self, response: bytes) -> SASLAnswer:
        return self._read(await self._exchange(response + b"\r\n"))

    def _read(self, reply: Reply) -> SASLAnswer:
        return SASLAnswer(self._STATUSES.get(reply.code, SASLStatus.REFUSED), reply, reply.lines[0])


def _auth_line(mechanism: str, initial: bytes | None) -> bytes:
    command = b"AUTH " + mechanism.encode("ascii")
    return command + b"\r\n" if initial is None else b"%b %b\r\n" % (command, initial)

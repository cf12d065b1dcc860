"""SMTP clients: the commands that their users may call (RFC 5321)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from twisted.internet.defer import Deferred

from mailproto._arguments import check_bool, check_parameters, check_type
from mailproto._twisted_arguments import check_clock
from mailproto.auth.sasl import ClientCredentials
from mailproto.client import Client, ServerAddress
from mailproto.client.base import choose_mechanisms, sign_in
from mailproto.client.errors import (
    AuthenticationUnavailable,
    CommandRefused,
    ServerUntrusted,
    TLSUnavailable,
)
from mailproto.content import Content, Octets, unwrapped
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._auth import AuthDialect
from mailproto.smtp.client._message import Message, to_address, to_recipient
from mailproto.smtp.client._own_name import hello_name, own_name
from mailproto.smtp.client._plan import render_address
from mailproto.smtp.client._session import SMTPSession
from mailproto.smtp.client._timeouts import SMTPTimeouts, checked_timeouts
from mailproto.smtp.wire import (
    NO_CAPABILITIES,
    Capabilities,
    Reply,
    ReplyLimits,
    UnsafeArgument,
    parse_capabilities,
    render_line,
    render_path,
)
from mailproto.tls import client_channel
from mailproto.typing import ClientTLSContext, ReactorTime

__all__ = ["SMTPClient"]


class SMTPClient(Client[Reply, Capabilities]):
    """A connection to an SMTP server, made by `open` or `connect`::

        client = await SMTPClient.connect(reactor, endpoint, hostname="client.example")
        await client.ehlo()
        outcomes = await client.send("a@client.example", ["b@server.example"], content)
        await client.quit()

    Calls are carried out in order, one after the other.  `send` may be called again before the
    first message has its outcomes; this is faster.  Every method that talks to the server raises
    `ConnectionLost` (or a subclass) if there is no connection.

    :param clock: the reactor, or `twisted.internet.task.Clock` in tests.  (`open` and `connect` pass it.)
    :param hostname: this client's name in EHLO: a domain name that resolves to it, or an address
        literal.  By default, this machine's name if it has a domain, or else its address.
    :param timeouts: how long the client waits for the server; by default, `SMTPTimeouts` as they are.
    :param limits: how long the server's replies may be; by default, `mailproto.smtp.wire.ReplyLimits` as they
        are.
    :param pipelining: False to wait for each reply even if the server offers PIPELINING.
    :param is_remote: True if the server is on another machine although the connection's other end
        is on this machine, as with a proxy or a tunnel.  No secret is sent in clear then.
    :raises UnsafeArgument: ``hostname`` is neither a domain nor an address literal (a ValueError).
    :raises TypeError: an argument is of the wrong type.
    """

    _verb: ClassVar[str] = "EHLO"
    _answers_each: ClassVar[bool] = False
    """Whether each recipient has a reply of its own (RFC 2033)."""

    _session: SMTPSession
    timeouts: SMTPTimeouts

    def __init__(
        self,
        clock: ReactorTime,
        *,
        hostname: str = "",
        timeouts: SMTPTimeouts | None = None,
        limits: ReplyLimits | None = None,
        pipelining: bool = True,
        is_remote: bool = False,
    ) -> None:
        check_clock("clock", clock)
        timeouts = checked_timeouts(timeouts)
        if limits is not None:
            check_type("limits", limits, ReplyLimits, "a ReplyLimits or None")
        check_bool("pipelining", pipelining)
        check_bool("is_remote", is_remote)
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

    # -- what is known about the server

    @property
    def hostname(self) -> str:
        """This client's name in EHLO; "" while it is not known yet."""
        return self._session.hostname

    @property
    def greeting(self) -> Reply | None:
        """The server's greeting; None before it has come."""
        return self._session.greeting

    @property
    def capabilities(self) -> Capabilities:
        """What the server offered in reply to the latest `ehlo`."""
        return self._session.capabilities

    @property
    def authenticated_by(self) -> str:
        """The mechanism with which the client has signed in; "" if it has not."""
        return self._session.authenticated_by

    # -- the session

    def ehlo(self, hostname: str | None = None) -> Deferred[Capabilities]:
        """EHLO: tell the server this client's name, and learn what the server offers.

        If the server does not know EHLO, HELO is sent (RFC 5321 3.2).

        :param hostname: used instead of the client's ``hostname``; an international name is sent with
            A-labels.
        :raises CommandRefused: the server refuses EHLO and HELO.
        :raises UnsafeArgument: the name is neither a domain nor an address literal.
        """
        return self._session.run(lambda: self._ehlo(hostname))

    def authenticate(
        self,
        credentials: ClientCredentials,
        *,
        mechanism: str | None = None,
        allow_clear: bool = False,
    ) -> Deferred[str]:
        """Sign in with AUTH (RFC 4954).  Call `starttls` before, if the server offers it.

        `client_mechanisms` orders the mechanisms that the server offers.  The best one is used, and
        the next one only if the server refuses the mechanism itself.

        :param mechanism: use this mechanism and no other.
        :param allow_clear: True to send a secret in clear without TLS, or to a server with an
            unverified certificate (one that `mailproto.tls.client_tls` has not compared with the
            server's name).  Otherwise a secret in clear goes only to a server on this machine.
        :returns: the mechanism that was used.
        :raises TypeError: the argument is of no class of credentials.
        :raises AuthenticationRefused: the server does not accept the credentials.
        :raises AuthenticationUnavailable: no mechanism can be used; the connection goes on.
        :raises ServerUntrusted: the mechanism asks the server to prove that it knows the password, and
            the server failed; the connection is closed.
        """
        return self._session.run(lambda: self._authenticate(credentials, mechanism, allow_clear))

    # -- mail

    def send(
        self,
        sender: Address | str,
        recipients: Sequence[Recipient | Address | str],
        content: Octets,
        parameters: Parameters = NO_PARAMETERS,
    ) -> Deferred[list[Outcome]]:
        """Send one message.

        All lines are sent with CRLF, whatever their ends in ``content``; nothing else is changed.
        If the message needs something that the server does not offer (8BITMIME, SMTPUTF8, SIZE, ...),
        nothing is sent, and the outcomes say so.

        Cancelling the `Deferred` does not stop the message; `abort` does, if it is not too late.

        :param sender: the reverse-path; "" or `NULL_PATH` for notifications.
        :param recipients: at least one; a `Recipient` has ESMTP parameters.  A transaction has at most
            a thousand, or as many as the server announces; more recipients take more transactions.
        :param parameters: the parameters of MAIL, such as RET and ENVID (RFC 3461 4), with values as
            on the wire (`encode_xtext`).  Those of DSN are left out if the server does not offer DSN.
        :returns: one outcome for each of ``recipients``, in that order.  If the connection is lost
            while the message is sent, that is an outcome too, with 451 4.4.2; it is `UNCERTAIN` if the
            message may have been delivered.  If the server announces how many transactions it takes
            (RFC 9422 MAILMAX), the outcome of those that exceed it is 451 4.5.0, and they are not tried.
        :raises ConnectionLost: the connection was lost before any reply about this message.
        :raises ValueError: there is no recipient, or a str is not an address.
        """
        return self._session.submit(Message(sender, recipients, content, parameters))

    # -- a transaction, command by command

    def mail(self, sender: Address | str, parameters: Parameters = NO_PARAMETERS) -> Deferred[Reply]:
        """MAIL: begin a transaction, whose commands you call one by one (RFC 5321 3.3)::

            await client.mail("a@client.example")
            await client.rcpt("b@server.example")
            [outcome] = await client.data(content)

        So you have the reply to each command when it comes; `send` is shorter and faster.  A refusal is
        raised; it is a `mailproto.errors.MailError` with the server's codes and text, which a delivery
        of your own need not catch: its client gets that very reply.

        :param parameters: of the extensions that the server offers.  SIZE, AUTH, and those of DSN are
            only wishes, and are left out if it does not.  SMTPUTF8 is added if ``sender`` needs it.
        :raises CommandRefused: the server refuses the sender.
        :raises NotOffered: the server does not offer the extension of another parameter.
        :raises OutOfOrder: there is a transaction already.
        :raises ValueError: ``sender`` is not an address, or ``parameters`` are not valid (`UnsafeArgument`).

        If the `Deferred` is cancelled before the reply has come, the transaction is given up.
        """
        path = to_address(sender)
        check_parameters("parameters", parameters)
        render_path("MAIL FROM", render_address(path), parameters)  # now, because this raises ValueError
        steps = self._session.steps
        return self._session.run(lambda: steps.mail(path, parameters), steps.give_up)

    def rcpt(
        self, recipient: Recipient | Address | str, parameters: Parameters | None = None
    ) -> Deferred[Reply]:
        """RCPT: add a recipient to the transaction that `mail` began (RFC 5321 4.1.1.3).

        If the server offers PIPELINING, calls of `rcpt` do not wait for each other's replies.

        :param parameters: used instead of those of a `Recipient`.
        :raises CommandRefused: the server refuses the recipient; the transaction goes on.
        :raises NotOffered: the server does not offer what the recipient needs.
        :raises OutOfOrder: there is no transaction, perhaps because `mail` was refused.
        :raises ValueError: ``recipient`` is not an address, or ``parameters`` are not valid
            (`UnsafeArgument`).

        If the `Deferred` is cancelled before the reply has come, the transaction is given up, because
        nobody knows then whether the server has accepted the recipient.
        """
        chosen = to_recipient(recipient)
        if parameters is not None:
            chosen = Recipient(chosen.address, parameters)
        if not chosen.address:
            raise UnsafeArgument("the null address cannot be a recipient")
        render_path("RCPT TO", render_address(chosen.address), chosen.parameters)
        return self._session.step(chosen)

    def data(self, content: Octets) -> Deferred[list[Outcome]]:
        """DATA: send the content (RFC 5321 4.1.1.4).  The transaction is over then, also after an error.

        All lines are sent with CRLF.  Large content is read and sent in pieces, as fast as the server
        takes it.

        :returns: one outcome for each recipient that the server had accepted, in that order.  An SMTP
            server has one reply for all of them, an LMTP server one for each.
        :raises CommandRefused: the server refuses DATA; or an SMTP server refuses the content.
        :raises NotOffered: the content is longer than the server takes (SIZE).
        :raises OutOfOrder: no recipient was accepted, or the content is binary (`bdat`).
        :raises ConnectionLost: also if the content cannot be read: only that tells the server that it is
            not whole.  After the whole content was sent, the message may be delivered nevertheless.

        :raises TypeError: ``content`` is neither bytes nor a `Content`.

        If the `Deferred` is cancelled while the content is sent, the connection is closed.
        """
        steps, octets = self._session.steps, unwrapped(Content.of(content))
        return self._session.run(lambda: steps.data(octets), self.abort)

    def bdat(self, content: Octets) -> Deferred[list[Outcome]]:
        """BDAT instead of DATA: send the content in chunks (RFC 3030 2).

        If MAIL had ``BODY=BINARYMIME``, the octets are sent as they are; otherwise as by `data`.

        :returns: as `data`.
        :raises NotOffered: the server does not offer CHUNKING.
        :raises CommandRefused, NotOffered, OutOfOrder, ConnectionLost: as `data`.
        """
        steps, octets = self._session.steps, unwrapped(Content.of(content))
        return self._session.run(lambda: steps.bdat(octets), self.abort)

    def rset(self) -> Deferred[Reply]:
        """RSET: give up the transaction, if there is one (RFC 5321 4.1.1.5).

        :raises CommandRefused: the server refuses it.
        """
        return self._session.run(self._session.steps.rset)

    # -- small commands

    def noop(self) -> Deferred[Reply]:
        """NOOP: check that the server still answers (RFC 5321 4.1.1.9).

        :raises CommandRefused: the server refuses it.
        """
        return self._session.run(lambda: self._command("NOOP"))

    def vrfy(self, name: str) -> Deferred[Reply]:
        """VRFY; the reply 252 means that the server does not tell (RFC 5321 3.5.3).

        :raises CommandRefused: the server does not know the name.
        :raises UnsafeArgument: for a control character in ``name``.
        """
        return self._session.run(lambda: self._command("VRFY", name))

    def expn(self, name: str) -> Deferred[Reply]:
        """EXPN: the members of a list, one in each line of the reply (RFC 5321 3.5.2).

        :raises CommandRefused: the server does not know the list, or does not tell.
        :raises UnsafeArgument: for a control character in ``name``.
        """
        return self._session.run(lambda: self._command("EXPN", name))

    def etrn(self, node: str) -> Deferred[Reply]:
        """ETRN: ask the server to send the mail that waits for a host, or for ``@domain`` (RFC 1985).

        :raises CommandRefused: the server refuses it.
        :raises UnsafeArgument: for a control character in ``node``.
        """
        return self._session.run(lambda: self._command("ETRN", node))

    def quit(self) -> Deferred[None]:
        """Send QUIT after all earlier calls are done, and close the connection.

        :returns: fires when the connection is closed; never fails.
        """
        if self.is_usable:
            self._session.run(self._quit).addErrback(lambda _: None)
        return self.closed()

    # -- dialogues

    async def _command(self, verb: str, argument: str = "") -> Reply:
        reply = await self._session.exchange(verb, render_line(verb, argument))
        if reply.code >= 400:
            raise CommandRefused(reply=reply)
        return reply

    def _introduce(self) -> Deferred[Capabilities]:
        return self.ehlo()

    def _end_of_job(self) -> None:
        self._session.steps.give_up()

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

    async def _starttls(self, tls: ClientTLSContext) -> Capabilities:
        session = self._session
        if "STARTTLS" not in session.capabilities or self.is_encrypted:
            raise TLSUnavailable
        reply = await session.exchange("STARTTLS", b"STARTTLS\r\n")
        if reply.code >= 400:
            raise TLSUnavailable(reply=reply)
        session.authenticated_by = ""  # the session begins again (RFC 3207 4.2)
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
            await session.steps.rset()  # AUTH is not allowed in a transaction (RFC 4954 4)
        try:
            session.authenticated_by = await sign_in(mechanisms, AuthDialect(session), session.clock)
        except ServerUntrusted as error:
            raise session.fail(error) from None
        return session.authenticated_by

    async def _quit(self) -> None:
        await self._session.exchange("QUIT", b"QUIT\r\n", self.timeouts.quit)
        self._session.leave()

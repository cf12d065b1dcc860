"""What a client can be asked to say to a server (RFC 5321)."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any, ClassVar

from twisted.internet.defer import Deferred

from mailproto.auth import ClientCredentials
from mailproto.content import Content
from mailproto.model import NO_PARAMETERS, Address, Outcome, Parameters, Recipient
from mailproto.smtp.client._authentication import choose, sign_in
from mailproto.smtp.client._errors import (
    AuthenticationUnavailable,
    CommandRefused,
    ProtocolViolation,
    ServerUntrusted,
    TLSUnavailable,
)
from mailproto.smtp.client._message import Message
from mailproto.smtp.client._own_name import hello_name, own_name
from mailproto.smtp.client._session import Session
from mailproto.smtp.wire import (
    NO_CAPABILITIES,
    Capabilities,
    Reply,
    parse_capabilities,
    render_line,
)
from mailproto.tls import client_channel

__all__ = ["LMTPClient", "SMTPClient"]


class SMTPClient(Session):
    """A connection to an SMTP server; make one with `connect`.

    Whatever is asked for is done in order, one after the other; `send` may be called again
    before the first has its outcomes, and is faster then.  Every method that talks to the
    server raises `ConnectionLost` (or one of its kinds) when there is no connection.

    :param clock: the reactor.
    :param hostname: what this client calls itself: a domain that leads back to it, or an
        address literal; by default this machine's name if it has a domain, or its address.
    :raises UnsafeArgument: ``hostname`` is neither, which is a ValueError.
    :param pipelining: False to wait for each answer even where PIPELINING is offered.
    :param is_remote: True where the connection leads to another machine even if its other end is
        on this one, as a proxy or a tunnel: then no secret is sent in clear.

    :ivar greeting: the server's first words, None before they came.
    :ivar capabilities: what the server offers, as of the last `ehlo`.
    :ivar authenticated_by: the mechanism by which the server took the credentials; "" before.
    :ivar transactions: how many were begun.
    :ivar has_transaction: whether the server is in a transaction that was given up.
    """

    verb: ClassVar[str] = "EHLO"

    def ehlo(self, hostname: str | None = None) -> Deferred[Capabilities]:
        """Say who we are, and learn what the server offers.

        A server that does not know EHLO is greeted with HELO (RFC 5321 3.2).

        :param hostname: instead of the client's own; of an international one its A-labels are said.
        :raises CommandRefused: the server refuses both.
        :raises UnsafeArgument: the name is neither a domain nor an address literal.
        """
        return self._exclusively(lambda: self._ehlo(hostname or self.hostname or own_name(self.transport)))

    def starttls(self, tls: Any) -> Deferred[Capabilities]:
        """Start TLS (RFC 3207), forget what was learnt in plaintext and say EHLO again.

        What the server sent behind its go-ahead is an attack and ends the connection.

        :param tls: as from `mailproto.tls.client_tls`.
        :raises TLSUnavailable: it is not offered, or refused; the connection goes on.
        :raises TLSFailed: it failed, or the certificate is not good; the connection is over.
        """
        return self._exclusively(lambda: self._starttls(tls))

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
        return self._exclusively(lambda: self._authenticate(credentials, mechanism, allow_clear))

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
        return self.submit(Message(sender, recipients, content, parameters))

    def noop(self) -> Deferred[Reply]:
        """NOOP: whether the server is still there.  :raises CommandRefused:"""
        return self._exclusively(lambda: self._command("NOOP"))

    def reset(self) -> Deferred[Reply]:
        """RSET (RFC 5321 4.1.1.5).  :raises CommandRefused:"""
        return self._exclusively(lambda: self._command("RSET"))

    def verify(self, name: str) -> Deferred[Reply]:
        """VRFY; 252 says that the server would rather not tell (RFC 5321 3.5.3).

        :raises CommandRefused: for one that is not known.
        :raises UnsafeArgument: for a control character in ``name``.
        """
        return self._exclusively(lambda: self._command("VRFY", name))

    def quit(self) -> Deferred[None]:
        """Say QUIT after everything that was asked for, and close; never raises.

        :returns: fires when the connection is gone.
        """
        if self.is_usable:
            self._exclusively(self._quit).addErrback(lambda _: None)
        return self.gone()

    # -- dialogues

    async def _command(self, verb: str, argument: str = "") -> Reply:
        reply = await self._exchange(verb, render_line(verb, argument))
        if reply.code >= 400:
            raise CommandRefused(reply=reply)
        if verb == "RSET":
            self.has_transaction = False
        return reply

    async def _ehlo(self, hostname: str) -> Capabilities:
        hello = hello_name(hostname)
        self.capabilities, self.pipelines = NO_CAPABILITIES, False
        reply = await self._exchange(self.verb, render_line(self.verb, hello))
        if reply.code < 400:
            self.capabilities = parse_capabilities(reply)
        elif reply.code >= 500 and self.verb == "EHLO":
            await self._command("HELO", hello)
        else:
            raise CommandRefused(reply=reply)
        self.hostname = hostname
        self.has_transaction = False
        self.pipelines = self._pipelining and "PIPELINING" in self.capabilities
        return self.capabilities

    async def _starttls(self, tls: Any) -> Capabilities:
        if "STARTTLS" not in self.capabilities or self.is_encrypted:
            raise TLSUnavailable
        reply = await self._exchange("STARTTLS", b"STARTTLS\r\n")
        if reply.code >= 400:
            raise TLSUnavailable(reply=reply)
        if self.wire.pending:
            # Somebody between us and the server put it there, to be taken for what comes
            # from within TLS (RFC 3207 6, CVE-2011-0411).
            raise self.fail(ProtocolViolation("Plaintext behind the go-ahead for TLS"))
        self.authenticated_by = ""  # it is the beginning again (4.2)
        secured = self._secured = Deferred()
        self.start_tls(tls, self.timeouts.handshake)
        await secured
        return await self._ehlo(self.hostname)

    async def _authenticate(
        self, credentials: ClientCredentials, mechanism: str | None, allow_clear: bool
    ) -> str:
        if self.authenticated_by:
            raise AuthenticationUnavailable("Authenticated already")
        mechanisms = choose(
            self.capabilities.mechanisms,
            credentials,
            client_channel(self.transport, is_local=self.is_local),
            mechanism=mechanism,
            allow_clear=allow_clear,
        )
        if self.has_transaction:
            await self._command("RSET")  # AUTH has no place in a transaction (4)
        try:
            self.authenticated_by = await sign_in(mechanisms, partial(self._exchange, "AUTH"), self.clock)
        except ServerUntrusted as error:
            raise self.fail(error) from None
        return self.authenticated_by

    async def _quit(self) -> None:
        await self._exchange("QUIT", b"QUIT\r\n", self.timeouts.quit)
        self._leave()


class LMTPClient(SMTPClient):
    """A connection to an LMTP server (RFC 2033): each recipient has an answer of its own.

    TCP and Unix sockets alike; never port 25.
    """

    verb: ClassVar[str] = "LHLO"
    answers_each: ClassVar[bool] = True

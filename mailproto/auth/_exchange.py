"""The SASL exchanges of one connection, for all protocols."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.portal import Portal

from mailproto.auth._checkers import delay_like
from mailproto.auth._login import Login, failures_are_temporary, login
from mailproto.auth._reporting import sign_in_refused
from mailproto.auth._sasl_messages import SASLError, decode_base64
from mailproto.auth._server_mechanisms import DEFAULT_MECHANISMS, Challenge, ServerMechanism
from mailproto.errors import (
    AuthenticationCancelled,
    AuthenticationFailed,
    EncryptionRequired,
    MailError,
    MalformedAuthentication,
    TemporaryAuthenticationFailure,
    UnknownMechanism,
)
from mailproto.interfaces import IRevocable
from mailproto.tls._channel import Channel

__all__ = ["SASLServer"]


@dataclass(slots=True)
class _Exchange:
    """A running exchange.

    :ivar outcome: the result of the credentials' check, if it is known; the client may still have to answer
        the last challenge.
    """

    mechanism: ServerMechanism
    outcome: Login | AuthenticationFailed | None = None

    def release(self) -> None:
        """Sign out, if the outcome is a `Login`."""
        if isinstance(self.outcome, Login):
            self.outcome.logout()


class SASLServer:
    """Signs one client in to a portal, with the mechanisms whose credentials its checkers accept.

    A protocol sends the `Challenge` that `begin` and `respond` return, and passes the next line to
    `respond`, until it gets the `Login`.  These errors end the exchange; each is a `MailError`:

    - `UnknownMechanism`: the mechanism is not offered,
    - `EncryptionRequired`: the mechanism needs TLS,
    - `AuthenticationCancelled`: the client cancelled it, or `abandon` was called,
    - `MalformedAuthentication`: the response is not base64, or not what the mechanism needs,
    - `AuthenticationFailed` and `TemporaryAuthenticationFailure`: see `login`.

    :param mechanisms: the mechanisms that may be offered, best first; see `server_mechanisms`.
    :param session: see `login`.
    """

    __slots__ = ("_binds", "_exchange", "_mechanisms", "_portal", "_session")

    def __init__(
        self,
        portal: Portal,
        mechanisms: Sequence[type[ServerMechanism]] = DEFAULT_MECHANISMS,
        *,
        session: IRevocable | None = None,
    ) -> None:
        self._portal = portal
        self._session = session
        self._mechanisms = mechanisms
        self._binds = any(mechanism.binds for mechanism in mechanisms)
        self._exchange: _Exchange | None = None

    def mechanisms(self, channel: Channel) -> tuple[str, ...]:
        """The names of the mechanisms to offer now, best first."""
        return tuple(
            mechanism.name
            for mechanism in self._mechanisms
            if self._checker(mechanism) is not None
            and (channel.is_secure or not mechanism.plaintext)
            and mechanism.is_possible(channel)
        )

    @property
    def takes_passwords(self) -> bool:
        """Whether to accept a protocol's own login command (LOGIN, USER): yes if PLAIN or LOGIN may be
        offered."""
        return any(
            mechanism.credentials is IUsernamePassword and self._checker(mechanism) is not None
            for mechanism in self._mechanisms
        )

    async def begin(self, name: str, initial: bytes | None, channel: Channel) -> Challenge | Login:
        """Begin an exchange.

        :param name: the mechanism's name, in any case.
        :param initial: the initial response as it was sent: base64, ``=`` for an empty one
            (RFC 4954 4, RFC 5034 4, RFC 4959 3), or None.
        """
        self.abandon()
        try:
            self._exchange = _Exchange(self._make(name.upper(), channel))
        except MailError as error:
            sign_in_refused(self._session, name.upper(), "", error)
            raise
        return await self._go_on(b"" if initial == b"=" else initial)

    async def respond(self, line: bytes) -> Challenge | Login:
        """Continue the exchange with the client's response.

        :param line: the response as it was sent: base64, or ``*`` to cancel.
        """
        exchange = self._exchange
        if exchange is not None and isinstance(exchange.outcome, AuthenticationFailed):
            self.abandon()
            raise exchange.outcome  # whatever the client's response is
        if exchange is None or line == b"*":
            self.abandon()
            cancelled = AuthenticationCancelled()
            if exchange is not None and exchange.outcome is None:
                self._log_failure(exchange.mechanism, cancelled)
            raise cancelled
        return await self._go_on(line)

    def abandon(self) -> None:
        """Drop the exchange: the connection has ended, or the client sent another command."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.release()

    def _make(self, name: str, channel: Channel) -> ServerMechanism:
        for mechanism in self._mechanisms:
            checker = self._checker(mechanism)
            if mechanism.name == name and checker is not None and mechanism.is_possible(channel):
                if mechanism.plaintext and not channel.is_secure:
                    raise EncryptionRequired
                # No -PLUS mechanism is offered: a client that supports channel binding may say so (RFC 5802
                # 6).
                return mechanism(channel if self._binds else replace(channel, bindings={}), checker)
        raise UnknownMechanism

    def _checker(self, mechanism: type[ServerMechanism]) -> ICredentialsChecker | None:
        return self._portal.checkers.get(mechanism.credentials)

    async def _go_on(self, line: bytes | None) -> Challenge | Login:
        exchange = cast(_Exchange, self._exchange)
        try:
            response = None if line is None else decode_base64(line)
            result = await self._step(exchange, response)
        except SASLError as error:
            self.abandon()
            malformed = MalformedAuthentication(f"Malformed authentication response: {error}")
            self._log_failure(exchange.mechanism, malformed)
            raise malformed from None
        except BaseException:
            self.abandon()
            raise
        if self._exchange is not exchange:  # `abandon` was called during the check
            exchange.release()
            raise AuthenticationCancelled
        if isinstance(result, Login):
            self._exchange = None
        return result

    async def _step(self, exchange: _Exchange, response: bytes | None) -> Challenge | Login:
        mechanism, outcome = exchange.mechanism, exchange.outcome
        if isinstance(outcome, Login):
            if response:
                raise SASLError("nothing more was asked for")
            return outcome
        try:
            step = await self._mechanism_step(mechanism, response)
            if isinstance(step, Challenge):
                return step
            exchange.outcome = signed_in = await login(
                self._portal, step, self._session, mechanism=mechanism.name
            )
        except AuthenticationFailed as error:
            if mechanism.refusal is None:
                raise
            exchange.outcome = error
            return Challenge(mechanism.refusal)
        return signed_in if mechanism.final is None else Challenge(mechanism.final)

    async def _mechanism_step(
        self, mechanism: ServerMechanism, response: bytes | None
    ) -> Challenge | ICredentials:
        try:
            with failures_are_temporary():
                return await mechanism.step(response)
        except AuthenticationFailed as error:
            self._log_failure(mechanism, error)
            await delay_like(mechanism.checker)
            raise
        except TemporaryAuthenticationFailure as error:
            self._log_failure(mechanism, error)
            raise

    def _log_failure(self, mechanism: ServerMechanism, error: MailError) -> None:
        """Log an exchange that failed before it gave credentials."""
        sign_in_refused(self._session, mechanism.name, mechanism.username, error)

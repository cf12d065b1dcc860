"""One connection's exchanges, for all protocols: what they send goes in, what they answer comes out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword
from twisted.cred.portal import Portal

from mailproto import maillog
from mailproto.auth._checkers import wait_as
from mailproto.auth._login import Login, failures_are_temporary, login
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
    """One that is under way.

    :ivar outcome: once the credentials have been looked at; the client may have yet to answer
        what it was told along with that.
    """

    mechanism: ServerMechanism
    outcome: Login | AuthenticationFailed | None = None

    def release(self) -> None:
        """Sign out, if anybody was signed in."""
        if isinstance(self.outcome, Login):
            self.outcome.logout()


class SASLServer:
    """Signs one client in to a portal, by the mechanisms that its checkers have credentials for.

    A protocol sends the `Challenge` that `begin` and `respond` return, and gives the next
    line to `respond`, until it gets the `Login`.  Whatever they raise is a `MailError`, and
    the exchange is over:

    - `UnknownMechanism`: it is not offered here,
    - `EncryptionRequired`: not without TLS,
    - `AuthenticationCancelled`: by the client, or by `abandon`,
    - `MalformedAuthentication`: not base64, or not what the mechanism asks for,
    - `AuthenticationFailed` and `TemporaryAuthenticationFailure`: as of `login`.

    :param mechanisms: those that may be offered, best first, such as `server_mechanisms` gives.
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
        """The names to announce to the client now, best first."""
        return tuple(
            mechanism.name
            for mechanism in self._mechanisms
            if self._checker(mechanism) is not None
            and (channel.is_secure or not mechanism.plaintext)
            and mechanism.is_possible(channel)
        )

    @property
    def takes_passwords(self) -> bool:
        """Whether a protocol's own command for a name and a password is to be taken: as PLAIN or LOGIN is."""
        return any(
            mechanism.credentials is IUsernamePassword and self._checker(mechanism) is not None
            for mechanism in self._mechanisms
        )

    async def begin(self, name: str, initial: bytes | None, channel: Channel) -> Challenge | Login:
        """Begin an exchange.

        :param name: of the mechanism, in any case.
        :param initial: the initial response as it was sent: base64, ``=`` for an empty one
            (RFC 4954 4, RFC 5034 4, RFC 4959 3), or None.
        """
        self.abandon()
        try:
            self._exchange = _Exchange(self._make(name.upper(), channel))
        except MailError as error:
            maillog.sign_in_failed(maillog.client_of(self._session), name.upper(), "", error)
            raise
        return await self._go_on(b"" if initial == b"=" else initial)

    async def respond(self, line: bytes) -> Challenge | Login:
        """Go on with it.

        :param line: as it was sent: base64, or ``*`` to cancel.
        """
        exchange = self._exchange
        if exchange is not None and isinstance(exchange.outcome, AuthenticationFailed):
            self.abandon()
            raise exchange.outcome  # whatever the client calls it
        if exchange is None or line == b"*":
            self.abandon()
            cancelled = AuthenticationCancelled()
            if exchange is not None and exchange.outcome is None:
                self._log_failure(exchange.mechanism, cancelled)
            raise cancelled
        return await self._go_on(line)

    def abandon(self) -> None:
        """Forget the exchange: the client is gone, or talks of something else."""
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.release()

    def _make(self, name: str, channel: Channel) -> ServerMechanism:
        for mechanism in self._mechanisms:
            checker = self._checker(mechanism)
            if mechanism.name == name and checker is not None and mechanism.is_possible(channel):
                if mechanism.plaintext and not channel.is_secure:
                    raise EncryptionRequired
                # A client that could bind and is not offered to says so, and is right (RFC 5802 6).
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
        if self._exchange is not exchange:  # abandoned while we looked
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
            await wait_as(mechanism.checker)
            raise
        except TemporaryAuthenticationFailure as error:
            self._log_failure(mechanism, error)
            raise

    def _log_failure(self, mechanism: ServerMechanism, error: MailError) -> None:
        """Log an exchange that failed before it came to credentials."""
        maillog.sign_in_failed(maillog.client_of(self._session), mechanism.name, mechanism.username, error)

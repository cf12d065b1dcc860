"""The SASL exchanges of one connection, for all protocols."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass, replace
from typing import cast

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import ICredentials, IUsernamePassword, UsernamePassword
from twisted.cred.portal import Portal
from zope.interface.interface import InterfaceClass

from mailproto.auth._credentials import ClientPassword
from mailproto.auth._failures import FAILURE_DELAY, FailedLogins, answer_time
from mailproto.auth._login import CheckerFault, Login, login, proxy_login, sign_in_errors
from mailproto.auth._mechanism_choice import DEFAULT_MECHANISMS, SERVER_MECHANISMS
from mailproto.auth._reporting import sign_in_refused
from mailproto.auth._sasl_messages import SASLError, decode_base64
from mailproto.auth._server_mechanisms import Challenge, ServerMechanism
from mailproto.errors import (
    AuthenticationCancelled,
    AuthenticationFailed,
    EncryptionRequired,
    MailError,
    MalformedAuthentication,
    TemporaryAuthenticationFailure,
    UnknownMechanism,
)
from mailproto.interfaces import IAccount, IRevocable
from mailproto.observing import client_of
from mailproto.tls._channel import Channel
from mailproto.typing import ReactorTime

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
    """Signs one client in to a portal, by SASL or by a protocol's own command.

    A protocol sends the `Challenge` that `begin` and `respond` return, and passes the next line to
    `respond`, until it gets the `Login`.  These errors end the exchange; each is a `MailError`:

    - `UnknownMechanism`: the mechanism is not offered,
    - `EncryptionRequired`: the mechanism needs TLS,
    - `AuthenticationCancelled`: the client cancelled it, or `abandon` was called,
    - `MalformedAuthentication`: the response is not base64, or not what the mechanism needs,
    - `AuthenticationFailed`: the name is unknown, the secret is wrong, or the portal has no checker for such
      credentials,
    - `AuthorizationFailed`: the secret is right, but the client wants to act as another account,
    - `TemporaryAuthenticationFailure`: a checker or the realm is unavailable, or has a fault; the log then
      has the reason,
    - any other error that a checker or the realm raises.

    Whatever a checker or the realm refuses is answered late, and logged, whichever checker it is.

    :param mechanisms: the mechanisms that may be offered, best first; see `server_mechanisms`.  Each also
        needs a checker for its credentials; a checker with an attribute ``mechanisms`` is used for those
        only.  None for the `DEFAULT_MECHANISMS` and those that a checker names itself.
    :param session: passed to the realm as the ``mind``; the realm may revoke it until `Login.logout`. If it
        has a ``client`` and an ``observer``, the observer is told of failures; otherwise the mail log.
    :param clock: the reactor.
    :param failure_delay: a failure is answered a whole number of these seconds after its check began.
    :param wanted: `IAccount`, or `IIdentity` if a name is enough.
    """

    __slots__ = (
        "_clock",
        "_exchange",
        "_failed",
        "_failure_delay",
        "_given",
        "_mechanisms",
        "_portal",
        "_session",
        "_wanted",
    )

    def __init__(
        self,
        portal: Portal,
        mechanisms: Sequence[type[ServerMechanism]] | None = None,
        *,
        clock: ReactorTime,
        session: IRevocable | None = None,
        failure_delay: float = FAILURE_DELAY,
        wanted: InterfaceClass = IAccount,
    ) -> None:
        self._portal = portal
        self._session = session
        self._clock = clock
        self._failure_delay = failure_delay
        self._wanted = wanted
        self._mechanisms = mechanisms
        self._exchange: _Exchange | None = None
        self._failed = FailedLogins()
        self._given: ClientPassword | None = None

    @property
    def failures(self) -> int:
        """How many logins have failed; one password that was tried in several ways counts once."""
        return self._failed.number

    def mechanisms(self, channel: Channel) -> tuple[str, ...]:
        """The names of the mechanisms to offer now, best first."""
        return tuple(
            mechanism.name
            for mechanism in self._candidates
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
            for mechanism in self._candidates
        )

    async def login(self, credentials: ICredentials, command: str) -> Login:
        """Sign in by a protocol's own command, such as LOGIN or USER.

        :param command: its name, for the log.
        """
        return await self._log_in(credentials, command, f"the command {command}")

    async def proxy_login(self, name: str) -> Login:
        """Sign in the account ``name`` for a trusted proxy, without a password.

        If the portal has no checker for `IProxyLogin`, the realm decides whether there is such an account.
        """
        return await self._checked(
            proxy_login(self._portal, name, self._session, wanted=self._wanted), None, "XCLIENT"
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
        if self._given is not None:
            self._given.leave()

    def end(self) -> None:
        """`abandon`, and forget the session: it has ended, and nothing of it runs any more.

        Then the session is freed at once, and not only by the garbage collector.
        """
        self.abandon()
        self._session = None

    def _make(self, name: str, channel: Channel) -> ServerMechanism:
        for mechanism in self._candidates:
            checker = self._checker(mechanism)
            if mechanism.name == name and checker is not None and mechanism.is_possible(channel):
                if mechanism.plaintext and not channel.is_secure:
                    raise EncryptionRequired
                # No -PLUS mechanism is offered: a client that supports channel binding may say so (RFC 5802
                # 6).
                return mechanism(channel if self._binds() else replace(channel, bindings={}), checker)
        raise UnknownMechanism

    def _binds(self) -> bool:
        """Whether a mechanism with channel binding may be offered."""
        return any(each.binds and self._checker(each) is not None for each in self._candidates)

    @property
    def _candidates(self) -> Sequence[type[ServerMechanism]]:
        return SERVER_MECHANISMS if self._mechanisms is None else self._mechanisms

    def _checker(self, mechanism: type[ServerMechanism]) -> ICredentialsChecker | None:
        """The portal's checker for the mechanism; None if there is none, or if it is not to be offered."""
        checker = self._portal.checkers.get(mechanism.credentials)
        named = getattr(checker, "mechanisms", None)
        if named is not None:
            return checker if mechanism.name in named else None
        return checker if self._mechanisms is not None or mechanism in DEFAULT_MECHANISMS else None

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
            exchange.outcome = signed_in = await self._log_in(
                step, mechanism.name, mechanism.name, mechanism.acts_as_another
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
        began = self._clock.seconds()
        try:
            with sign_in_errors():
                return await mechanism.step(response)
        except MalformedAuthentication:
            raise
        except MailError as error:
            self._log_failure(mechanism, error)
            await self._refused(error, None, mechanism.name, began)
            raise

    async def _log_in(
        self, credentials: ICredentials, mechanism: str, way: str, acts_as_another: bool = False
    ) -> Login:
        if type(credentials) is UsernamePassword:
            client = client_of(self._session)
            credentials = ClientPassword(credentials.username, credentials.password, client)
            self._given = credentials
        try:
            return await self._checked(
                login(
                    self._portal,
                    credentials,
                    self._session,
                    mechanism=mechanism,
                    wanted=self._wanted,
                    acts_as_another=acts_as_another,
                ),
                credentials,
                way,
            )
        finally:
            self._given = None

    async def _checked(self, asked: Awaitable[Login], credentials: ICredentials | None, way: str) -> Login:
        began = self._clock.seconds()
        try:
            return await asked
        except MailError as error:
            await self._refused(error, credentials, way, began)
            raise

    async def _refused(
        self, error: MailError, credentials: ICredentials | None, way: str, began: float
    ) -> None:
        """Count a failure, and wait until it may be answered."""
        if isinstance(error, CheckerFault) or not isinstance(error, TemporaryAuthenticationFailure):
            self._failed.add(credentials, way)
        await answer_time(self._clock, began, self._failure_delay)

    def _log_failure(self, mechanism: ServerMechanism, error: MailError) -> None:
        """Log an exchange that failed before it gave credentials."""
        sign_in_refused(self._session, mechanism.name, mechanism.username, error)

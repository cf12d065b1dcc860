"""The POP3 server: a connection and its state (RFC 1939 3)."""

from __future__ import annotations

import secrets
import time
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from typing import ClassVar
from weakref import WeakValueDictionary

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IAddress
from zope.interface.interface import InterfaceClass

from mailproto._arguments import check_type
from mailproto.auth._avatars import checked_portal
from mailproto.auth.credentials import IApopDigest
from mailproto.auth.sasl import SASLServer, ServerMechanism, server_mechanisms
from mailproto.auth.signing_in import Login, add_ons_of
from mailproto.connection import ServerConnection, ServerFactory
from mailproto.connection.commands import Commands, check_capabilities
from mailproto.connection.limits import CloseReason
from mailproto.errors import MailError, WireError
from mailproto.interfaces.add_ons import IPOP3Policy
from mailproto.model import POP3Policy
from mailproto.observing import ObserverOrMore
from mailproto.pop3.server._authorization import Authorization
from mailproto.pop3.server._errors import BAD_COMMANDS, BadCommand, NoMaildrop
from mailproto.pop3.server._limits import POP3Limits
from mailproto.pop3.server._maildrop import Maildrop, Others
from mailproto.pop3.server._own_commands import CAPABILITIES, CAPABILITY, COMMANDS, is_allowed, own_command
from mailproto.pop3.server._policy import LoginTimes, Policies, policy_lines
from mailproto.pop3.server._transaction import Transaction
from mailproto.pop3.wire import Command, POP3ServerWire, Response, err, ok
from mailproto.typing import ReactorTime, ServerTLSContext

__all__ = ["POP3Server", "POP3ServerFactory"]

_CODES = {CloseReason.REVOKED: "AUTH", CloseReason.TALKED_AHEAD: ""}
"""The response codes (RFC 3206 4, 5) of these reasons; all others have SYS/TEMP."""


class POP3Server(ServerConnection[Command | Response]):
    """One client's session: first `Authorization`, then `Transaction`.

    QUIT in `Transaction` does the work of the UPDATE state.

    :ivar sasl: the exchanges of AUTH.
    :ivar account: the name of the account that signed in, or None.
    :ivar login: of this account, until the connection ends.
    :ivar retrieved: how many messages the client has retrieved.
    :ivar removed: how many messages QUIT has removed.
    :ivar is_utf8: whether the client has said UTF8: messages are sent as they are (RFC 6856 2.1).
    :ivar policy: of the account; None before login.
    :ivar timestamp: for APOP, with its angle brackets; b"" if APOP is not offered.
    :ivar is_leaving: whether the client has said QUIT: the session ends, even if QUIT fails.
    """

    alpn: ClassVar[Sequence[bytes]] = (b"pop3",)
    factory: POP3ServerFactory
    limits: POP3Limits
    wire: POP3ServerWire

    def __init__(self, factory: POP3ServerFactory) -> None:
        super().__init__(factory)
        self.wire = POP3ServerWire(self.limits.wire)
        self.sasl = SASLServer(
            factory.portal,
            factory.mechanisms,
            clock=factory.clock,
            session=self,
            failure_delay=factory.limits.failure_delay,
        )
        self.is_leaving = False
        self.is_utf8 = False
        self.policy: POP3Policy | None = None
        self.timestamp = b""
        self.account: str | None = None
        self.login: Login | None = None
        self.retrieved = self.removed = 0
        self._bad_commands = 0  # in a row
        self._state: Authorization | Transaction = Authorization(self)

    def greet(self) -> None:
        """With a timestamp for APOP, if a checker can check its digests: it must know the passwords."""
        factory, timestamp = self.factory, ""
        if IApopDigest in factory.portal.checkers:
            # Unique, and nobody can know it before (RFC 1939 7).
            timestamp = f"<{secrets.token_hex(16)}.{int(time.time())}@{factory.hostname}>"
            self.timestamp = timestamp.encode("ascii")
        self.write(ok(f"{factory.hostname} POP3 ready {timestamp}".rstrip()))

    def handle(self, event: Command | Response) -> Awaitable[None] | None:
        """Let the state act on the event."""
        if isinstance(event, Command):
            own = self.factory.commands.get(event.keyword)
            if own is not None:
                self._state.interrupted()
                if not is_allowed(self, own):
                    raise BadCommand("Not before login" if self.login is None else "Not after login")
                return own_command(self, own, event)
        result = self._state.handle(event)
        if result is None or isinstance(self._state, Transaction):
            self._bad_commands = 0  # of a login under way, the result is not known yet
        return result

    async def sign_in(self, login: Login) -> None:
        """Enter the TRANSACTION state with a snapshot of the account's INBOX."""
        factory = self.factory
        try:
            factory.admit_account(self, login.name)
            policy = await factory.policies.of(login.account)
            factory.login_times.sign_in(login.name, policy.login_delay)
            maildrop = await self._maildrop(login)
        except BaseException:
            self.factory.forget_account(self)
            login.logout()
            raise
        if not self.is_open:
            login.logout()
            return
        self.login = login
        self.account = login.name
        self.policy = policy
        if policy.expire == 0:
            maildrop.remove_retrieved()
        self._bad_commands = 0
        self._state = Transaction(self, maildrop)
        self.write(ok(f"{maildrop.count} messages ({maildrop.octets} octets)"))

    async def _maildrop(self, login: Login) -> Maildrop:
        """The account's maildrop.

        :raises MailError: with a response code, because the credentials are right.
        """
        try:
            return await Maildrop.open(login.account, self.breathe, self.factory.columns)
        except MailError as error:
            if error.pop3:
                raise
            raise NoMaildrop(error.text, detail=error.detail) from error

    def policy_lines(self) -> list[str]:
        """The lines of CAPA about EXPIRE and LOGIN-DELAY."""
        if self.policy is not None:
            return policy_lines(self.policy)
        factory = self.factory
        return factory.policies.lines_before_login(any_policy=IPOP3Policy in factory.add_ons)

    def well_done(self) -> None:
        """A command was valid: `POP3Limits.bad_commands` counts those in a row."""
        self._bad_commands = 0

    def restart(self) -> None:
        """TLS is on: forget what was said in plaintext (RFC 2595 4)."""
        self._state = Authorization(self)

    def refuse_syntax(self, error: WireError) -> None:
        """Answer a syntax error; a SASL exchange under way is over."""
        self._state.interrupted()
        self.write(err(str(error)))
        self._count_bad_command()

    def refusal(self, error: MailError) -> bytes:
        """``-ERR`` with the error's response code and text."""
        return err(error.text, error.pop3)

    def refuse(self, event: Command | Response, error: MailError) -> None:
        """Answer with the error; the session ends even if QUIT fails (RFC 1939 6)."""
        reply = self.refusal(error)
        if self.is_leaving:
            self.end(reply, error.text)
            return
        self.write(reply)
        if isinstance(error, BAD_COMMANDS):
            self._count_bad_command()
        else:
            self._bad_commands = 0

    def _count_bad_command(self) -> None:
        """End the session after too many: the client speaks another protocol, or probes for weaknesses."""
        self._bad_commands += 1
        if self._bad_commands >= self.limits.bad_commands:
            self.end(err("Too many bad commands"), "too many bad commands")

    def closing_words(self, reason: CloseReason) -> bytes:
        """Say nothing to an idle client: it would take that for its next command's answer (RFC 1939 3)."""
        if reason in (CloseReason.IDLE, CloseReason.LOGIN):
            return b""
        return err(f"Closing: {reason.value}", _CODES.get(reason, "SYS/TEMP"))

    @property
    def must_sign_in(self) -> bool:
        """See `ServerConnection.must_sign_in`."""
        return True

    @property
    def account_name(self) -> str | None:
        """See `ServerConnection.account_name`."""
        return self.account

    def log_counts(self) -> dict[str, str | int]:
        """See `ServerConnection.log_counts`."""
        return {"retrieved": self.retrieved, "removed": self.removed}

    def describe(self, event: Command | Response) -> str:
        """The command's keyword, without its arguments."""
        return event.keyword if isinstance(event, Command) else "SASL response"

    def closed(self) -> None:
        """Sign out; the marks for deletion are forgotten with the state (RFC 1939 6)."""
        self.sasl.abandon()
        login, self.login = self.login, None
        if login is not None:
            login.logout()
        self._state = Authorization(self)


class POP3ServerFactory(ServerFactory):
    """Makes POP3 sessions.

    :param portal: gives an `IAccount` for credentials, such as `mailproto.auth.store_portal` makes, or
        `mailproto.auth.password_portal` with accounts.
    :param clock: the reactor, or `twisted.internet.task.Clock` in tests; None for the installed reactor.
    :param hostname: the server's name in its greeting; an international name is shown with A-labels.  None
        for the machine's name.
    :param tls: for STLS, such as `mailproto.tls.ServerTLS`; None to offer no STLS.
    :param mechanisms: the SASL mechanisms that may be offered (`mailproto.auth.sasl.server_mechanisms`); by
        default, those that the portal names, or else `mailproto.auth.sasl.DEFAULT_MECHANISMS`.  USER and PASS
        are offered if PLAIN or LOGIN is among them.
    :param observer: one or more observers (`mailproto.observing`), in addition to the mail log.
    :param mail_log: whether this server writes the mail log.
    :param policy: for accounts that have none of their own (`mailproto.interfaces.add_ons.IPOP3Policy`): when
        the server removes messages by itself (EXPIRE), and how often clients may sign in (LOGIN-DELAY).  By
        default, nothing is removed, and there is no delay.
    :param policies: those of single accounts, by their names in any spelling.
    :param commands: commands of your own by name, such as ``{"XHELLO": handler}`` (`ServerCommand`).
    :param capabilities: lines that CAPA's reply has in addition, such as ``["XHELLO"]``.
    :param protocol_class: a subclass of `POP3Server`, to be used instead.
    :raises TypeError: an argument is of the wrong type, such as a realm instead of a portal.
    :raises ValueError: an argument has a wrong value: ``hostname`` is not a domain, nor an address in
        brackets; a command, a capability or a mechanism is not valid; or the portal gives no accounts.
    """

    protocol_class: type[POP3Server] = POP3Server
    service_name = "pop3"
    limits_class = POP3Limits

    def __init__(
        self,
        portal: Portal,
        *,
        clock: ReactorTime | None = None,
        hostname: str | None = None,
        tls: ServerTLSContext | None = None,
        limits: POP3Limits | None = None,
        mechanisms: Sequence[str | type[ServerMechanism]] | None = None,
        observer: ObserverOrMore | None = None,
        mail_log: bool = True,
        policy: POP3Policy | None = None,
        policies: Mapping[str, POP3Policy] | None = None,
        commands: Commands | None = None,
        capabilities: Iterable[str] = (),
        protocol_class: type[POP3Server] | None = None,
    ) -> None:
        super().__init__(
            clock=clock,
            hostname=hostname,
            tls=tls,
            limits=limits,
            observer=observer,
            mail_log=mail_log,
            protocol_class=protocol_class,
        )
        self.commands = COMMANDS.check(commands)
        self.capabilities = check_capabilities(capabilities, CAPABILITY, CAPABILITIES)
        if policy is not None:
            check_type("policy", policy, POP3Policy, "a POP3Policy or None", "write POP3Policy(expire=0)")
        for name, each in (policies or {}).items():
            check_type(f"policies[{name!r}]", each, POP3Policy, "a POP3Policy")
        self.policies = Policies(policy or POP3Policy(), policies or {})
        self.login_times = LoginTimes(self.clock)
        self.columns: Others = WeakValueDictionary()
        self.portal = checked_portal(portal, accounts="POP3")
        self.mechanisms = None if mechanisms is None else server_mechanisms(mechanisms)

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """The add-ons of every account and mailbox here (`mailproto.interfaces.IAddOns`)."""
        return add_ons_of(self.portal)

    def buildProtocol(self, addr: IAddress | None) -> POP3Server:  # type: ignore[override]
        """Make the session of a new connection."""
        return self.protocol_class(self)

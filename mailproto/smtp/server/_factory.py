"""The factory of SMTP and submission sessions."""

from __future__ import annotations

import itertools
import os
import secrets
from collections.abc import Iterable, Sequence
from typing import ClassVar, Literal

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IAddress

from mailproto._arguments import check_bool, check_choice, check_whole, folder_of, wrong_value
from mailproto._spool_room import SpoolRoom
from mailproto._twisted_arguments import provided
from mailproto.auth._avatars import checked_portal
from mailproto.auth.sasl import SASLServer, ServerMechanism, server_mechanisms
from mailproto.connection import ServerFactory
from mailproto.connection.commands import Commands, check_capabilities
from mailproto.connection.proxy import Networks
from mailproto.interfaces import (
    IDelivery,
    IDeliverySessions,
    IExpander,
    IIdentity,
    IPermittedCommands,
    IQueueRunner,
    IServiceExtensions,
    IVerifier,
)
from mailproto.model import NO_SERVICE_EXTENSIONS, ServiceExtensions
from mailproto.observing import ObserverOrMore
from mailproto.smtp.server._delivery_argument import check_delivery
from mailproto.smtp.server._limits import MAX_MESSAGE_SIZE, TRUSTED_CLIENT_LIMITS, SMTPLimits
from mailproto.smtp.server._own_commands import CAPABILITIES, CAPABILITY, COMMANDS
from mailproto.smtp.server._sending_policy import SendingPolicy
from mailproto.smtp.server._server import SMTPServer
from mailproto.typing import ReactorTime, ServerTLSContext

__all__ = ["SMTPServerFactory"]


class SMTPServerFactory(ServerFactory):
    """Serves SMTP (RFC 5321) or submission (RFC 6409), and gives mail to a delivery.

    :param delivery: an `IDelivery` or `IDeliverySessions`, which gets the mail.  It may provide
        `IServiceExtensions`, `IVerifier`, `IExpander` and `IQueueRunner`, and then more extensions are
        offered, to those whom its `IPermittedCommands` names.  It may have the methods of `IDelivery` without
        a declaration, but these optional contracts must be declared (``@implementer``).
    :param clock: the reactor, or `twisted.internet.task.Clock` in tests; None for the installed reactor.
    :param hostname: this server's name; an international name is sent with A-labels
        (RFC 6531 3.7.1).  None for the machine's name.
    :param portal: gives an `IAccount` or an `IIdentity` for credentials, such as
        `mailproto.auth.password_portal` makes; None to offer no AUTH.
    :param tls: for STARTTLS, such as `mailproto.tls.server_tls` gives; None to offer no STARTTLS.
    :param submission: whether this is a submission server: it takes mail only after login (see
        ``auth_required``), adds fields that are missing, and removes Bcc.
    :param auth_required: whether mail is taken only after login (530 5.7.0, RFC 4954 6); by default, as
        ``submission``.  A relay that requires it changes no message, and does not check senders.  False for
        a submission server takes mail of everybody who can connect, so only a network that is protected
        otherwise may reach it (RFC 6409 4.3).
    :param require_tls: whether clients must start TLS before anything else (530 5.7.0, RFC 3207 4).
    :param max_message_size: the most octets of a message; announced, and enforced while reading.
    :param spool_folder: for large messages while they arrive; None for the system's temporary folder.
    :param bare_newlines: what happens to a message with a bare CR or LF: the message is refused, or
        each becomes CRLF.
    :param strict_envelopes: whether MAIL and RCPT must have the syntax of RFC 5321 4.1.2.  Otherwise
        addresses may also have no angle brackets, dots and underscores in odd places, and spaces and
        tabs where they mean nothing.
    :param any_sender: for submission: whether an account may send under addresses that are not its
        own (RFC 6409 6.1; `IOwnership`).
    :param xclient: the networks of proxies that may use XCLIENT to name their clients: a `Networks`, or a
        list such as ``["127.0.0.1"]``.
    :param trace_account: whether the Received field names the account that signed in.
    :param mechanisms: the SASL mechanisms that may be offered (`mailproto.auth.sasl.server_mechanisms`); by
        default, those that the portal names, or else `mailproto.auth.sasl.DEFAULT_MECHANISMS`.
    :param limits: `SMTPLimits`; by default, LMTP and servers that require login have no wait before the
        greeting.
    :param observer: one or more observers (`mailproto.observing`), in addition to the mail log.
    :param mail_log: whether this server writes the mail log.
    :param commands: commands of your own by name, such as ``{"XHELLO": handler}`` (`ServerCommand`).
    :param capabilities: lines that EHLO's reply has in addition, such as ``["XHELLO"]``.
    :param protocol_class: a subclass of `SMTPServer` (or `LMTPServer`), to be used instead.
    :raises TypeError: an argument is of the wrong type, or the delivery lacks a method.
    :raises ValueError: an argument has a wrong value: ``hostname`` is not a domain, nor an address in
        brackets; a command, a capability or a mechanism is not valid; or login or TLS is required, but there
        is no portal or ``tls``.
    """

    protocol_class: type[SMTPServer] = SMTPServer
    greeting = "ESMTP mailproto"
    service_name = "smtp"
    faces_internet: ClassVar[bool] = True
    """Whether clients may be anyone: Authentication-Results fields in this server's name are removed then."""

    limits_class = SMTPLimits
    limits: SMTPLimits
    service_extensions: ServiceExtensions
    verifier: IVerifier | None
    expander: IExpander | None
    queue: IQueueRunner | None
    permitted_commands: IPermittedCommands | None

    def __init__(
        self,
        delivery: IDelivery | IDeliverySessions,
        *,
        clock: ReactorTime | None = None,
        hostname: str | None = None,
        portal: Portal | None = None,
        tls: ServerTLSContext | None = None,
        submission: bool = False,
        auth_required: bool | None = None,
        require_tls: bool = False,
        max_message_size: int = MAX_MESSAGE_SIZE,
        spool_folder: str | os.PathLike[str] | None = None,
        bare_newlines: Literal["refuse", "normalise"] = "refuse",
        strict_envelopes: bool = False,
        any_sender: bool = False,
        xclient: Networks | Iterable[str] | None = None,
        trace_account: bool = False,
        mechanisms: Sequence[str | type[ServerMechanism]] | None = None,
        limits: SMTPLimits | None = None,
        observer: ObserverOrMore | None = None,
        mail_log: bool = True,
        commands: Commands | None = None,
        capabilities: Iterable[str] = (),
        protocol_class: type[SMTPServer] | None = None,
    ) -> None:
        check_delivery(delivery)
        for name, value in (
            ("submission", submission),
            ("require_tls", require_tls),
            ("strict_envelopes", strict_envelopes),
            ("any_sender", any_sender),
            ("trace_account", trace_account),
            ("auth_required", False if auth_required is None else auth_required),
        ):
            check_bool(name, value)
        check_whole("max_message_size", max_message_size, 1, "octets")
        check_choice("bare_newlines", bare_newlines, ("refuse", "normalise"))
        if require_tls and tls is None:
            takes = "a TLS context with require_tls=True, which takes mail only after STARTTLS"
            hint = "write mailproto.tls.server_tls('cert.pem', 'key.pem')"
            raise wrong_value("tls", tls, takes, f"{hint}, or leave require_tls out if TLS is from the start")
        self.auth_required = submission if auth_required is None else auth_required
        if self.auth_required and portal is None:
            reason = "auth_required=True" if auth_required else "submission=True"
            takes = f"a Portal with {reason}, which takes mail only after login"
            hint = "write mailproto.auth.password_portal(check), or auth_required=False"
            raise wrong_value("portal", portal, takes, hint)
        if limits is None:
            is_trusted = not self.faces_internet or submission or self.auth_required
            limits = TRUSTED_CLIENT_LIMITS if is_trusted else SMTPLimits()
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
        self.delivery = delivery
        self.portal = None if portal is None else checked_portal(portal)
        self.mechanisms = None if mechanisms is None else server_mechanisms(mechanisms)
        self.submission = submission
        if submission:
            self.service_name = "submission"
        self.require_tls = require_tls
        self.max_message_size = max_message_size
        self.spool_folder = folder_of("spool_folder", spool_folder)
        self.normalise_newlines = bare_newlines == "normalise"
        self.strict_envelopes = strict_envelopes
        self.xclient = Networks.of("xclient", () if xclient is None else xclient)
        self.trace_account = trace_account
        self.sending_policy = (
            SendingPolicy(delivery, limits, own_senders=submission and not any_sender) or None
        )
        self.spool_room = SpoolRoom(limits.spooled)
        extended = provided(IServiceExtensions, delivery)
        self.service_extensions = NO_SERVICE_EXTENSIONS if extended is None else extended.service_extensions
        self.verifier = provided(IVerifier, delivery)
        self.expander = provided(IExpander, delivery)
        # Clients of submission and LMTP have no queue here that ETRN could start (RFC 6409 7).
        is_relay = self.faces_internet and not submission
        self.queue = provided(IQueueRunner, delivery) if is_relay else None
        self.permitted_commands = provided(IPermittedCommands, delivery)
        offered = (("VRFY", self.verifier), ("EXPN", self.expander), ("ETRN", self.queue))
        self.verbs = tuple(verb for verb, provider in offered if provider is not None)
        self._id_prefix = secrets.token_hex(6)
        self._numbers = itertools.count(1)

    def buildProtocol(self, addr: IAddress | None) -> SMTPServer:  # type: ignore[override]
        """Make the session of a new connection."""
        return self.protocol_class(self)

    def make_sasl(self, session: SMTPServer) -> SASLServer | None:
        """What signs the client of a session in; None if there is no AUTH."""
        if self.portal is None:
            return None
        return SASLServer(
            self.portal,
            self.mechanisms,
            clock=self.clock,
            session=session,
            failure_delay=self.limits.failure_delay,
            wanted=IIdentity,
        )

    def next_id(self) -> str:
        """A new id for a transaction, different from all others, also on other servers."""
        return f"{self._id_prefix}{next(self._numbers):06x}"

"""The factory of IMAP sessions."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace

from twisted.cred.portal import Portal
from twisted.internet.interfaces import IAddress
from zope.interface.interface import InterfaceClass

from mailproto._arguments import check_whole, folder_of, wrong_type
from mailproto._spool_room import SpoolRoom
from mailproto.auth._avatars import checked_portal
from mailproto.auth.sasl import ServerMechanism, server_mechanisms
from mailproto.auth.signing_in import add_ons_of
from mailproto.connection.commands import Commands
from mailproto.imap.server._extension import Extension
from mailproto.imap.server._extensions import STANDARD
from mailproto.imap.server._fetch_room import FetchRoom
from mailproto.imap.server._limits import IMAPLimits
from mailproto.imap.server._own_commands import with_own
from mailproto.imap.server._places import MESSAGES, Places
from mailproto.imap.server._registry import Tables, set_tables
from mailproto.imap.server._server import IMAPResources, IMAPServer
from mailproto.imap.server._shared_columns import Shared
from mailproto.observing import ObserverOrMore
from mailproto.typing import ReactorTime, ServerTLSContext

__all__ = ["IMAPServerFactory"]


class IMAPServerFactory(IMAPResources):
    """An IMAP4rev1 server (RFC 3501).

    :param portal: gives an `IAccount` for credentials, such as `mailproto.auth.store_portal` makes, or
        `mailproto.auth.password_portal` with accounts.
    :param clock: the reactor, or `twisted.internet.task.Clock` in tests; None for the installed reactor.
    :param hostname: the server's name in its greeting; an international name is shown with A-labels.  None
        for the machine's name.
    :param tls: for STARTTLS, such as `mailproto.tls.ServerTLS`; None to offer no STARTTLS.
    :param limits: by default, `IMAPLimits` as they are.
    :param max_message_size: the most octets of APPEND's message.
    :param spool_folder: for large messages while they arrive; None for the system's temporary folder.
    :param mechanisms: the SASL mechanisms that may be offered (`mailproto.auth.sasl.server_mechanisms`); by
        default, those that the portal names, or else `mailproto.auth.sasl.DEFAULT_MECHANISMS`.  The LOGIN
        command is allowed if PLAIN or LOGIN is among them.
    :param observer: one or more observers (`mailproto.observing`), in addition to the mail log.
    :param mail_log: whether this server writes the mail log.
    :param commands: commands of your own by name, such as ``{"XECHO": handler}`` (`ServerCommand`).
    :param capabilities: what CAPABILITY announces in addition, such as ``["XECHO"]``.
    :param extensions: what the server can do, `mailproto.imap.extensions.STANDARD` by default; those that the
        backend does not provide for are left out.
    :param protocol_class: a subclass of `IMAPServer`, to be used instead.
    :raises TypeError: an argument is of the wrong type, such as a realm instead of a portal.
    :raises ValueError: an argument has a wrong value: ``hostname`` is not a domain, nor an address in
        brackets; a command, a capability or a mechanism is not valid; or the portal gives no accounts.
    """

    protocol_class: type[IMAPServer] = IMAPServer
    service_name = "imap"
    limits_class = IMAPLimits

    def __init__(
        self,
        portal: Portal,
        *,
        clock: ReactorTime | None = None,
        hostname: str | None = None,
        tls: ServerTLSContext | None = None,
        limits: IMAPLimits | None = None,
        max_message_size: int = 50 << 20,
        spool_folder: str | os.PathLike[str] | None = None,
        mechanisms: Sequence[str | type[ServerMechanism]] | None = None,
        observer: ObserverOrMore | None = None,
        mail_log: bool = True,
        commands: Commands | None = None,
        capabilities: Iterable[str] = (),
        extensions: Iterable[Extension] | None = None,
        protocol_class: type[IMAPServer] | None = None,
    ) -> None:
        check_whole("max_message_size", max_message_size, 1, "octets")
        if limits is None:
            limits = IMAPLimits()
        super().__init__(
            clock=clock,
            hostname=hostname,
            tls=tls,
            limits=limits,
            observer=observer,
            mail_log=mail_log,
            protocol_class=protocol_class,
        )
        used = with_own(_checked(extensions), commands, capabilities)
        self.portal = checked_portal(portal, accounts="IMAP")
        self.kept = {}
        self.tables = Tables.build(used, self.add_ons)
        set_tables(self, self.tables)
        self.mechanisms = None if mechanisms is None else server_mechanisms(mechanisms)
        self.greeting_name = self.hostname.encode()
        self.max_message_size = max_message_size
        self.spool_room = SpoolRoom(limits.spooled)
        self.shared = Shared(self.clock)
        self.message_places = Places(self.clock, MESSAGES, MESSAGES)
        self.fetch_room = FetchRoom()
        self.search_places = Places(self.clock, limits.searches)
        self.spool_folder = folder_of("spool_folder", spool_folder)
        self.wire_limits = replace(limits.wire, append=max_message_size)

    @property
    def add_ons(self) -> frozenset[InterfaceClass]:
        """The add-ons of every account and mailbox here (`mailproto.interfaces.IAddOns`)."""
        return add_ons_of(self.portal)

    def buildProtocol(self, addr: IAddress | None) -> IMAPServer:  # type: ignore[override]
        """Make the session of a new connection."""
        return self.protocol_class(self)


def _checked(extensions: Iterable[Extension] | None) -> Sequence[Extension]:
    if extensions is None:
        return STANDARD
    if not isinstance(extensions, Iterable):
        raise wrong_type("extensions", extensions, "a list such as [*STANDARD, MINE]")
    checked = tuple(extensions)
    for each in checked:
        if not isinstance(each, Extension):
            raise wrong_type("each of extensions", each, "an Extension")
    return checked

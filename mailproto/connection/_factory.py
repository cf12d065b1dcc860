"""The base of all server factories."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.protocol import Factory

from mailproto._arguments import check_bool, check_type, wrong_type
from mailproto._reactor import installed
from mailproto._twisted_arguments import check_clock, check_server_tls
from mailproto.connection._handshake import Handshakes
from mailproto.connection._hostname import server_hostname
from mailproto.connection._limits import Limits
from mailproto.connection._server import ServerConnection
from mailproto.errors import MailError
from mailproto.maillog import MailLog
from mailproto.observing import ObserverOrMore, Observers, TurnedAway
from mailproto.typing import ReactorTime, ServerTLSContext

__all__ = ["ServerFactory"]


class TooManySessions(MailError):
    """An account has as many connections as it may have (RFC 5530 3 LIMIT, RFC 3206 4 SYS/TEMP)."""

    imap, pop3 = "LIMIT", "SYS/TEMP"
    default_text = "Too many connections of this account"


class ServerFactory(Factory):
    """Makes the connections of one service, counts them, and ends them at shutdown.

    :param clock: the reactor, or a `twisted.internet.task.Clock` in tests; None for the installed reactor.
    :param hostname: the server's name in its greeting; an international name is sent with A-labels.  None for
        the machine's name.
    :param tls: the context for STARTTLS or STLS, such as `mailproto.tls.server_tls` makes; None not to offer
        it.
    :param observer: one or more observers (`mailproto.observing`), in addition to the mail log.
    :param mail_log: whether there is a mail log.
    :param protocol_class: a subclass of `protocol_class`, to be used instead.
    :ivar observer: passes events to all of them.
    :ivar stalls: how often a connection has held the reactor for more than 50 ms (`Stalled`).
    :raises TypeError, ValueError: an argument cannot be used; the text says what it takes.
    """

    protocol_class: type[ServerConnection[Any]] = ServerConnection
    """The class of the connections."""

    noisy = False
    limits_class: ClassVar[type[Limits]] = Limits
    """The class of `limits`."""

    service_name: str = ""
    """The service's name in the mail log: smtp, submission, lmtp, pop3 or imap."""

    def __init__(
        self,
        clock: ReactorTime | None = None,
        *,
        hostname: str | None = None,
        tls: ServerTLSContext | None = None,
        limits: Limits | None = None,
        observer: ObserverOrMore | None = None,
        mail_log: bool = True,
        protocol_class: type[ServerConnection[Any]] | None = None,
    ) -> None:
        if clock is None:
            clock = installed()
        check_clock("clock", clock)
        check_server_tls("tls", tls)
        check_bool("mail_log", mail_log)
        kind = self.limits_class
        if limits is not None:
            hint = f"write {kind.__name__}(...)"
            check_type("limits", limits, kind, f"of the class {kind.__name__} or None", hint)
        self.clock = clock
        self.hostname = server_hostname(hostname)
        if protocol_class is not None:
            self.protocol_class = self._derived(protocol_class)
        self.tls = tls
        self.limits = kind() if limits is None else limits
        self.observer = Observers([*([MailLog(clock)] if mail_log else []), Observers(observer)])
        self.stopping = False
        self.connections: set[ServerConnection[Any]] = set()
        self.stalls = 0
        self._peers: dict[str, int] = {}
        self._accounts: dict[str, int] = {}
        self._handshakes = Handshakes[ServerConnection[Any]](self.clock, self.limits.handshakes)
        # Weak, because a handler may wait for something that never comes: then it goes with its connection.
        self._unfinished: WeakKeyDictionary[ServerConnection[Any], int] = WeakKeyDictionary()
        self._is_over = False
        self._all_gone: list[Deferred[None]] = []

    def _derived(self, given: type[ServerConnection[Any]]) -> type[ServerConnection[Any]]:
        base = self.protocol_class
        if not isinstance(given, type) or not issubclass(given, base):
            raise wrong_type("protocol_class", given, f"a subclass of {base.__name__}, or None")
        return given

    def startFactory(self) -> None:
        """The first port starts to listen, perhaps after `shut_down`."""
        self.stopping = False

    def admit(self, connection: ServerConnection[Any]) -> bool:
        """Count a new connection; False if there are too many, or the server is stopping."""
        network = None if connection.is_proxy else connection.peer.network
        number = 0 if network is None else self._peers.get(network, 0)
        if (
            self.stopping
            or len(self.connections) >= self.limits.connections
            or (
                network is not None
                and number >= self.limits.connections_of_peer(is_near=connection.peer.is_near)
            )
        ):
            reason = "server shutting down" if self.stopping else "too many connections"
            connection.observer.turned_away(TurnedAway(connection.client, reason))
            return False
        if network is not None:
            self._peers[network] = number + 1
        connection.counted_as = network
        self.connections.add(connection)
        return True

    def admit_handshake(self, connection: ServerConnection[Any]) -> bool:
        """Count a connection whose TLS handshake begins; False if there are too many."""
        return self._handshakes.add(connection)

    def admit_account(self, connection: ServerConnection[Any], account: str) -> None:
        """Count a connection that signs in.

        :raises TooManySessions: there are too many of this account.
        """
        number = self._accounts.get(account, 0)
        most = self.limits.sessions_of_account(is_near=connection.peer.is_near)
        if number >= most:
            raise TooManySessions(detail=f"{account} has {number} connections")
        self._accounts[account] = number + 1
        connection.signed_in_as = account

    def forget_account(self, connection: ServerConnection[Any]) -> None:
        """Stop counting a connection for its account, if it is counted."""
        account, connection.signed_in_as = connection.signed_in_as, None
        if account is not None:
            _count_less(self._accounts, account)

    def forget(self, connection: ServerConnection[Any]) -> None:
        """Stop counting a connection."""
        if connection not in self.connections:
            return
        self.connections.discard(connection)
        self._handshakes.forget(connection)
        self.forget_account(connection)
        network = connection.counted_as
        if network is not None:
            _count_less(self._peers, network)
        self._look_if_all_gone()

    def unfinished(self, connection: ServerConnection[Any]) -> Callable[[object], None]:
        """Note that work of a connection goes on, although that has ended: `shut_down` waits for it.

        :returns: a function to call when the work is done.
        """
        self._unfinished[connection] = self._unfinished.get(connection, 0) + 1

        def done(_: object) -> None:
            self._unfinished[connection] -= 1
            if not self._unfinished[connection]:
                del self._unfinished[connection]
            self._look_if_all_gone()

        return done

    def _look_if_all_gone(self) -> None:
        if not self.connections and (self._is_over or not self._unfinished):
            waiting, self._all_gone = self._all_gone, []
            for waiter in waiting:
                waiter.callback(None)

    def shut_down(self) -> Deferred[None]:
        """End every connection: idle ones now, others after their running command.

        :returns: fires when all are closed, and what they had begun is done; after ``limits.close_timeout``
            seconds, connections are aborted, and calls of deliveries are cancelled.
        """
        self.stopping, self._is_over = True, False
        if not self.connections and not self._unfinished:
            return gatherResults([]).addCallback(lambda _: None)
        gone: Deferred[None] = Deferred()
        self._all_gone.append(gone)
        for connection in list(self.connections):
            connection.stop()
        timer = self.clock.callLater(self.limits.close_timeout, self.stop_now)

        def cancel(_: None) -> None:
            if timer.active():
                timer.cancel()

        return gone.addCallback(cancel)

    def stop_now(self) -> None:
        """Abort every connection, and cancel the calls of deliveries."""
        for connection in list(self.connections):
            connection.stop_now()
        for connection in list(self._unfinished):
            connection.give_up_calls()
        self._is_over = True  # what begins now, such as the end of a session, is not waited for
        self._look_if_all_gone()


def _count_less(counts: dict[str, int], name: str) -> None:
    counts[name] -= 1
    if not counts[name]:
        del counts[name]

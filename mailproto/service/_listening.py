"""A listener of the settings: its factory exists only when it starts, and its errors name the setting."""

from __future__ import annotations

from collections.abc import Callable

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IAddress, IProtocol, IProtocolFactory
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from mailproto.listening import Listener, ListenError
from mailproto.service._setting_error import SettingError
from mailproto.service._settings import User
from mailproto.typing import Reactor

__all__ = ["ListenerService"]


class ListenerService(Service):
    """A `Listener` whose factory is made when clients may be served.

    :param setting: the path of the setting, such as ``listen.smtp``.
    :param make_factory: called when clients may be served.
    :param listening: called with the address, once clients are served.
    :param user: returns the user to which root gives a Unix socket.

    :ivar listener: it is the same after a restart.
    :ivar takes_mail_from_others: whether other servers bring their mail there.
    """

    def __init__(
        self,
        setting: str,
        endpoint: str,
        make_factory: Callable[[], IProtocolFactory],
        listening: Callable[[str], object],
        *,
        reactor: Reactor,
        user: Callable[[], User | None] = lambda: None,
    ) -> None:
        self._setting = setting
        self.takes_mail_from_others = setting == "listen.smtp"
        self._user = user
        self._is_bound = False
        self.listener = Listener(
            endpoint,
            _LateFactory(make_factory),
            name=setting.rpartition(".")[2],
            listening=listening,
            reactor=reactor,
        )

    def privilegedStartService(self) -> None:
        """Bind the port.

        :raises SettingError: the port cannot be bound, and the endpoint reports that at once.
        """
        super().privilegedStartService()  # type: ignore[no-untyped-call]
        user = self._user()
        self.listener.socket_owner = (None, None) if user is None else (user.uid, user.gid)
        self._is_bound = True
        try:
            self.listener.privilegedStartService()
        except ListenError as error:
            raise self._setting_error(error) from None

    def startService(self) -> Deferred[None]:
        """Serve clients; the result fires when clients can be served.

        :raises SettingError: (or the result fails with it) the port cannot be bound.
        """
        super().startService()  # type: ignore[no-untyped-call]
        if not self._is_bound:
            self.privilegedStartService()
        return self.listener.startService().addErrback(self._failed)

    def stopService(self) -> Deferred[None]:
        """See `Listener.stop`."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._is_bound = False
        return self.listener.stopService()

    def _failed(self, failure: Failure) -> Failure:
        error = failure.value
        return Failure(self._setting_error(error)) if isinstance(error, ListenError) else failure

    def _setting_error(self, error: ListenError) -> SettingError:
        return SettingError(self._setting, error.reason, value=error.endpoint)


class _LateFactory(Factory):
    """Makes the factory that it wraps when the port is about to serve clients."""

    noisy = False

    def __init__(self, make: Callable[[], IProtocolFactory]) -> None:
        self._make = make
        self.wrappedFactory: IProtocolFactory | None = None

    def startFactory(self) -> None:
        self.wrappedFactory = self._make()
        self.wrappedFactory.doStart()

    def stopFactory(self) -> None:
        wrapped, self.wrappedFactory = self.wrappedFactory, None
        if wrapped is not None:
            wrapped.doStop()

    def buildProtocol(self, addr: IAddress) -> IProtocol | None:  # type: ignore[override]
        return None if self.wrappedFactory is None else self.wrappedFactory.buildProtocol(addr)

"""Who is told of events."""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable, Iterable, Iterator
from inspect import iscoroutinefunction
from typing import Any, Final, TypeAlias

from twisted.logger import Logger
from zope.interface import implementer

from mailproto._arguments import wrong_type
from mailproto._contracts import Contract, ContractClass, contract
from mailproto._twisted_arguments import check_contract, provided
from mailproto.observing._events import (
    Accepted,
    Appended,
    Connected,
    Delivered,
    Disconnected,
    Refusal,
    SignedIn,
    SignInRefused,
    Stalled,
    TurnedAway,
)
from mailproto.observing._relay_events import Expanded, Relayed, Reported, Unreached

__all__ = ["IObserver", "Observer", "ObserverOrMore", "Observers"]

_log = Logger()


@contract
class IObserver(Contract, metaclass=ContractClass):
    """Is told of what happens in a server.

    All methods are called in the reactor's thread and return nothing.  Each connection begins with
    `connected` or `turned_away` (or both, if a proxy has named its client after the greeting), and ends with
    `disconnected`.
    """

    def connected(self, event: Connected) -> None:
        """A client has connected, and is served."""

    def turned_away(self, event: TurnedAway) -> None:
        """A client has connected, and is not served."""

    def signed_in(self, event: SignedIn) -> None:
        """A client has signed in."""

    def sign_in_refused(self, event: SignInRefused) -> None:
        """A client has failed to sign in."""

    def refused(self, event: Refusal) -> None:
        """A command, a message or the client itself was refused; or a command failed."""

    def accepted(self, event: Accepted) -> None:
        """A message was received and taken."""

    def delivered(self, event: Delivered) -> None:
        """The outcome of a received message for one recipient."""

    def appended(self, event: Appended) -> None:
        """A client has put a message into a mailbox."""

    def stalled(self, event: Stalled) -> None:
        """A connection has held the reactor for more than 50 ms."""

    def expanded(self, event: Expanded) -> None:
        """A message for an alias goes to other addresses."""

    def relayed(self, event: Relayed) -> None:
        """A message on the queue was tried for one recipient, or was given up."""

    def reported(self, event: Reported) -> None:
        """A report about a message was made."""

    def unreached(self, event: Unreached) -> None:
        """A destination of the queue could not be reached."""

    def disconnected(self, event: Disconnected) -> None:
        """A connection has ended."""


@implementer(IObserver)
class Observer:
    """The base of observers: each method does nothing.  Override those that you want.

    :ivar needs_single: whether `delivered` is called for messages with one recipient, too; the outcome is
        also in the `Accepted` or `Refusal` of the message.
    :ivar needs_octets: whether `Disconnected` must have the numbers of octets; else they may be 0.
    """

    needs_single: bool = True
    needs_octets: bool = True

    def connected(self, event: Connected) -> None:
        """See `IObserver.connected`."""

    def turned_away(self, event: TurnedAway) -> None:
        """See `IObserver.turned_away`."""

    def signed_in(self, event: SignedIn) -> None:
        """See `IObserver.signed_in`."""

    def sign_in_refused(self, event: SignInRefused) -> None:
        """See `IObserver.sign_in_refused`."""

    def refused(self, event: Refusal) -> None:
        """See `IObserver.refused`."""

    def accepted(self, event: Accepted) -> None:
        """See `IObserver.accepted`."""

    def delivered(self, event: Delivered) -> None:
        """See `IObserver.delivered`."""

    def appended(self, event: Appended) -> None:
        """See `IObserver.appended`."""

    def stalled(self, event: Stalled) -> None:
        """See `IObserver.stalled`."""

    def expanded(self, event: Expanded) -> None:
        """See `IObserver.expanded`."""

    def relayed(self, event: Relayed) -> None:
        """See `IObserver.relayed`."""

    def reported(self, event: Reported) -> None:
        """See `IObserver.reported`."""

    def unreached(self, event: Unreached) -> None:
        """See `IObserver.unreached`."""

    def disconnected(self, event: Disconnected) -> None:
        """See `IObserver.disconnected`."""


ObserverOrMore: TypeAlias = "IObserver | Iterable[IObserver]"
"""An observer, or several."""

_METHODS: Final = tuple(IObserver.names())

_Calls = tuple[Callable[[Any], object], ...]


class Observers(Observer):
    """Passes each event to several observers, in their order.

    An observer that raises harms neither the client nor the other observers.  The log has the traceback of
    the first error of each method; further ones are only counted.

    :param observers: one or several; another `Observers` stands for its own.
    :ivar observers: those that were given.
    :ivar errors: how many errors there were, by the observer's class and method.
    :ivar needs_several: whether there is an observer for `delivered`; ``needs_single``: also for messages
        with one recipient.  If not, these events need not be made.  ``needs_octets``: whether octets must be
        counted.
    :raises TypeError: an observer does not provide `IObserver`, or has a coroutine function.
    """

    def __init__(self, observers: ObserverOrMore | None = None) -> None:
        self.observers = tuple(_flattened(observers))
        self.errors: dict[str, int] = {}
        self.needs_several = self.needs_single = self.needs_octets = False
        self._names: dict[int, str] = {}
        calls: dict[str, list[Callable[[Any], object]]] = {name: [] for name in _METHODS}
        for observer in self.observers:
            _check(observer)
            for name in _METHODS:
                method = getattr(observer, name)
                # A method that does nothing need not be called.
                if getattr(method, "__func__", None) is not getattr(Observer, name):
                    calls[name].append(method)
                    self._names[id(method)] = f"{type(observer).__qualname__}.{name}"
                    if name == "delivered":
                        self.needs_several = True
                        self.needs_single |= getattr(observer, "needs_single", True) is not False
                    elif name == "disconnected":
                        self.needs_octets |= getattr(observer, "needs_octets", True) is not False
        self._calls: dict[str, _Calls] = {name: tuple(methods) for name, methods in calls.items()}
        self._accepted = self._calls["accepted"]

    def connected(self, event: Connected) -> None:
        """See `IObserver.connected`."""
        self._tell(self._calls["connected"], event)

    def turned_away(self, event: TurnedAway) -> None:
        """See `IObserver.turned_away`."""
        self._tell(self._calls["turned_away"], event)

    def signed_in(self, event: SignedIn) -> None:
        """See `IObserver.signed_in`."""
        self._tell(self._calls["signed_in"], event)

    def sign_in_refused(self, event: SignInRefused) -> None:
        """See `IObserver.sign_in_refused`."""
        self._tell(self._calls["sign_in_refused"], event)

    def refused(self, event: Refusal) -> None:
        """See `IObserver.refused`."""
        self._tell(self._calls["refused"], event)

    def accepted(self, event: Accepted) -> None:
        """See `IObserver.accepted`."""
        for call in self._accepted:  # as `_tell`, which would cost another call for each message
            try:
                call(event)
            except (Exception, CancelledError):
                self._failed(call)

    def delivered(self, event: Delivered) -> None:
        """See `IObserver.delivered`."""
        self._tell(self._calls["delivered"], event)

    def appended(self, event: Appended) -> None:
        """See `IObserver.appended`."""
        self._tell(self._calls["appended"], event)

    def stalled(self, event: Stalled) -> None:
        """See `IObserver.stalled`."""
        self._tell(self._calls["stalled"], event)

    def expanded(self, event: Expanded) -> None:
        """See `IObserver.expanded`."""
        self._tell(self._calls["expanded"], event)

    def relayed(self, event: Relayed) -> None:
        """See `IObserver.relayed`."""
        self._tell(self._calls["relayed"], event)

    def reported(self, event: Reported) -> None:
        """See `IObserver.reported`."""
        self._tell(self._calls["reported"], event)

    def unreached(self, event: Unreached) -> None:
        """See `IObserver.unreached`."""
        self._tell(self._calls["unreached"], event)

    def disconnected(self, event: Disconnected) -> None:
        """See `IObserver.disconnected`."""
        self._tell(self._calls["disconnected"], event)

    def _tell(self, calls: _Calls, event: object) -> None:
        for call in calls:
            try:
                call(event)
            except (Exception, CancelledError):  # asyncio's CancelledError is not an Exception
                self._failed(call)

    def _failed(self, call: Callable[[Any], object]) -> None:
        name = self._names[id(call)]
        number = self.errors[name] = self.errors.get(name, 0) + 1
        if number == 1:
            _log.failure("the observer {name} failed; its further errors are not logged", name=name)


def _flattened(observers: ObserverOrMore | None) -> Iterator[IObserver]:
    if observers is None:
        return
    for each in observers if isinstance(observers, Iterable) else (observers,):
        if isinstance(each, Observers):
            yield from each.observers
        else:
            yield each


def _check(observer: object) -> None:
    if isinstance(observer, type) or not (
        isinstance(observer, Observer) or provided(IObserver, observer) is not None
    ):
        hint = "derive its class from mailproto.observing.Observer"
        if isinstance(observer, type) and IObserver.implementedBy(observer):
            hint = f"write {observer.__name__}()"
        raise wrong_type("observer", observer, "an object that provides IObserver", hint)
    check_contract("observer", observer, IObserver)
    for name in _METHODS:
        if iscoroutinefunction(getattr(observer, name)):
            hint = f"its {name} is a coroutine function, which nobody awaits"
            raise wrong_type("observer", observer, "an object whose methods are plain functions", hint)

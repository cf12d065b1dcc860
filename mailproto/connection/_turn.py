"""Serves many connections in one turn of the reactor: reads all input first, then sends all replies.

Twisted's reactors handle each descriptor by itself, in its own logging context, and ask the kernel again
for each reply to be sent.  If a command costs some ten microseconds, that is half of the work.  Also, a
reply that is sent alone wakes up its client, which then sleeps again until the next reply.

So the connections of one reactor share another epoll, which the reactor watches as one descriptor. Systems
without epoll work as Twisted does.  So do transports that are not exactly Twisted's own, because a wrapper
or a subclass may have to see every octet.
"""

from __future__ import annotations

import select
import sys
from collections.abc import Callable, Iterable
from contextvars import Context
from typing import Any
from weakref import ReferenceType, WeakKeyDictionary, ref

from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableDescriptor, IReactorFDSet, IReadDescriptor
from twisted.internet.main import CONNECTION_DONE, CONNECTION_LOST
from twisted.python.failure import Failure
from zope.interface import implementer

from mailproto._logger import PackageLogger
from mailproto._twisted_internals import protocol_above, transport_below
from mailproto.connection._line import TURN, line_of
from mailproto.connection._order import Ready, in_order
from mailproto.connection._staying import STAY, Stay

__all__ = ["Turn", "turn_of"]

MOST = 64
"""Connections that are served before the reactor does its other work."""

_LOOK = 4096
"""Connections that are looked at if more than `MOST` are ready: thousands may hang up at the same moment."""

_SLOW = 0.0005
"""Seconds that a connection took lately when it was served, after which it comes behind those that wait.

What it took before counts half, and half of that the next time.
"""

_HAS_EPOLL = hasattr(select, "epoll")
if _HAS_EPOLL:
    from fcntl import ioctl
    from termios import FIONREAD

    _IN, _OUT, _GONE = select.EPOLLIN, select.EPOLLOUT, select.EPOLLHUP | select.EPOLLERR


@implementer(IReadDescriptor, IReactorFDSet)
class Turn:
    """Acts as the reactor for its connections, and as one descriptor for the real reactor.

    :ivar is_running: whether connections are being served.
    :ivar at_end: functions to call once all input has been read; used only while ``is_running``.
    :ivar when_sent: functions to call after these, if there is time; the same.
    """

    log = PackageLogger()

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._epoll = select.epoll()
        self._selectables: dict[int, Any] = {}
        self._masks: dict[int, int] = {}
        self.at_end: list[Callable[[], None]] = []
        self.when_sent: list[Callable[[], object]] = []
        self._half_closed: set[int] = set()  # those whose clients have closed their side
        self._writers: dict[Any, int] = {}  # to be served at the end of this turn
        # Those for which there was no time, as they came; whether they are strangers, and octets of input.
        self._left: dict[int, tuple[bool, int]] = {}
        self._oldest_first = False
        self._seconds: dict[int, float] = {}  # what the slower ones took since there was time for all
        self._line = line_of(reactor)
        self._stay = Stay(reactor, self._epoll)
        self.is_running = False

    # -- to the reactor

    def fileno(self) -> int:
        """The epoll's descriptor; it is readable while a connection is ready."""
        return self._epoll.fileno()

    def logPrefix(self) -> str:
        """A name for the log (`ILoggingContext`)."""
        return "connections"

    def doRead(self) -> None:
        """Serve the connections that are ready, as far as there is time.

        And again, if one of them expects a command that comes at once, and nobody waits.
        """
        self._take_turn(*self._ready())
        if not self.when_sent:
            return
        seconds = self._reactor.seconds
        end = seconds() + STAY
        while self.when_sent:
            calls, self.when_sent = self.when_sent, []
            for call in calls:
                self._guard(call)
                if seconds() >= end:  # the others prepare nothing; sixty might take too long together
                    return
            if self._left or self._line.is_called:
                return
            found = self._stay.look(end, MOST)
            if not found or len(found) == MOST:  # if there are more than `MOST`, an order is needed
                return
            self._take_turn(found, [])

    def _take_turn(self, known: Ready, strangers: Ready) -> None:
        """Serve these, and then send what was written."""
        self.is_running = True
        line = self._line
        now = line.now = self._reactor.seconds()
        line.begins(now)
        end = now + TURN
        share = line.share(min(len(known) + len(strangers), MOST))
        if strangers and known:
            some = self._read(known, share, now + TURN / 2, MOST // 2)
            left = self._read(strangers, share, end, MOST // 2)
            served = len(known) - len(some) + len(strangers) - len(left)
            known, strangers = self._read(some, share, end, MOST - served), left
        else:
            known, strangers = self._read(known or strangers, share, end, MOST), []
        if known or strangers:
            self._leave([fd for fd, events in known + strangers if events & _IN])
        else:
            self._left.clear()
        line.now = 0.0
        line.input_waits = bool(self._left)
        if not self._left and self._seconds:
            self._seconds.clear()
        unsent, self.at_end = self.at_end, []
        for send in unsent:
            try:
                send()
            except BaseException:
                self.log.failure("error while sending to a connection")
        self.is_running = False
        self._write()

    def connectionLost(self, reason: Failure) -> None:
        """The reactor ends, and so do all connections."""
        for selectable in self.removeAll():
            self._guard(selectable.connectionLost, reason)

    # -- to the connections

    def __getattr__(self, name: str) -> Any:
        """All other attributes are the real reactor's."""
        return getattr(self._reactor, name)

    def addReader(self, reader: Any) -> None:
        """`IReactorFDSet`."""
        fd = reader.fileno()
        self._watch(fd, reader, self._masks.get(fd, 0) | _IN)

    def addWriter(self, writer: Any) -> None:
        """`IReactorFDSet`: data written during a turn is sent at its end, without asking the kernel
        first."""
        fd = writer.fileno()
        mask = self._masks.get(fd, 0)
        if self.is_running and not mask & _OUT:
            self._writers[writer] = fd
        else:
            self._watch(fd, writer, mask | _OUT)

    def removeReader(self, reader: Any) -> None:
        """`IReactorFDSet`."""
        self._ignore(reader, _IN)

    def removeWriter(self, writer: Any) -> None:
        """`IReactorFDSet`."""
        self._writers.pop(writer, None)
        self._ignore(writer, _OUT)

    def removeAll(self) -> list[Any]:
        """`IReactorFDSet`."""
        selectables = list(self._selectables.values())
        self._half_closed.clear()
        for selectable in selectables:
            self._ignore(selectable, _IN | _OUT)
        return selectables

    def getReaders(self) -> list[Any]:
        """`IReactorFDSet`."""
        return [self._selectables[fd] for fd, mask in self._masks.items() if mask & _IN]

    def getWriters(self) -> list[Any]:
        """`IReactorFDSet`."""
        return [self._selectables[fd] for fd, mask in self._masks.items() if mask & _OUT]

    # -- in between

    def _read(self, ready: Ready, share: float, end: float, most: int) -> Ready:
        """Serve these, ``share`` seconds each, until it is ``end``; those for which there was no time."""
        line, seconds, selectables = self._line, self._reactor.seconds, self._selectables
        took_before = self._seconds
        now = line.now
        for number, (fd, events) in enumerate(ready):
            if now >= end or number >= most:
                return ready[number:]
            line.end = now + share
            selectable = selectables.get(fd)
            if selectable is None:  # serving another connection may have removed this one
                continue
            if events != _IN:
                self._serve(selectable, events)
            else:
                try:  # inlined from `_serve`, because this is nearly always the case
                    why = selectable.doRead()
                except BaseException as error:
                    self.log.failure("error while serving a connection")
                    why = error
                if why:
                    self._guard(self._disconnect, selectable, why, True)
            if line.now == now:  # the connection has not looked at the clock
                line.now = seconds()
            if line.now - now > _SLOW / 2:
                took_before[fd] = line.now - now + min(took_before.get(fd, 0.0) / 2, _SLOW)
            elif fd in took_before:
                took_before[fd] = line.now - now + min(took_before[fd] / 2, _SLOW)
            now = line.now
        return []

    def _ready(self) -> tuple[Ready, Ready]:
        """Descriptors and what they are ready for, in the order in which they are served: those of clients
        that we know, and those of strangers.

        If there is time for all, all are among the first.  Else strangers have half of a turn: what they ask
        before they sign in may take a millisecond, and there may be hundreds of them.
        """
        # One of these may have been closed or paused; if the number is another connection's now, reading
        # finds nothing.
        left = [fd for fd in self._left if self._masks.get(fd, 0) & _IN]
        if left:
            found = self._epoll.poll(0, MOST + len(left))
        else:
            self._left.clear()
            found = self._epoll.poll(0, MOST)
            if len(found) < MOST:
                return found, []
        if len(found) >= MOST:
            found = list(dict(found + self._epoll.poll(0, _LOOK)).items())
        if not left:
            self._leave([fd for fd, events in found if events & _IN])
            left = list(self._left)
        waits = self._left
        self._oldest_first = not self._oldest_first
        sides: tuple[list[int], list[int]] = ([], [])
        for fd in left:
            sides[waits[fd][0]].append(fd)
        new: tuple[Ready, Ready] = ([], [])
        for each in found:
            if each[0] not in waits:
                new[self._is_stranger(each[0])].append(each)
        slow = {fd for fd, seconds in self._seconds.items() if seconds > _SLOW}
        known, strangers = (
            in_order(sides[which], new[which], waits, slow, oldest_first=self._oldest_first)
            for which in (False, True)
        )
        return known, strangers

    def _leave(self, left: Iterable[int]) -> None:
        """There is no time for these descriptors.

        The kernel would put them behind others; and it tells us again about what has no input.
        """
        before, unserved = self._left, dict.fromkeys(left)
        self._left = {fd: waits for fd, waits in before.items() if fd in unserved}
        self._left |= {fd: (self._is_stranger(fd), _input_octets(fd)) for fd in unserved if fd not in before}

    def _is_stranger(self, fd: int) -> bool:
        protocol = getattr(self._selectables.get(fd), "protocol", None)
        protocol = protocol_above(protocol) or protocol  # inside TLS
        return bool(getattr(protocol, "is_stranger", False))

    def _watch(self, fd: int, selectable: Any, mask: int) -> None:
        if fd not in self._masks:
            if not self._masks:
                # Some reactors serve a descriptor in the context where it was added.
                Context().run(self._reactor.addReader, self)
            self._epoll.register(fd, mask)
        elif self._masks[fd] != mask:
            self._epoll.modify(fd, mask)
        self._selectables[fd] = selectable
        self._masks[fd] = mask

    def _ignore(self, selectable: Any, events: int) -> None:
        fd = selectable.fileno()
        if fd < 0:  # already closed, so that the kernel has forgotten it
            fd = next((fd for fd, other in self._selectables.items() if other is selectable), -1)
        mask = self._masks.get(fd)
        if mask is None:
            return
        left = mask & ~events
        if left or (fd in self._half_closed and not selectable.disconnected):
            self._watch(fd, selectable, left)
            return
        self._half_closed.discard(fd)
        del self._masks[fd], self._selectables[fd]
        try:
            self._epoll.unregister(fd)
        except OSError:
            self.log.debug("{fd} was closed before", fd=fd)
        if not self._masks:
            self._reactor.removeReader(self)

    def _serve(self, selectable: Any, events: int) -> None:
        """As Twisted's reactors do (``_doReadOrWrite``)."""
        why: Any = None
        reading = False
        try:
            if events & _IN:
                reading = True
                why = selectable.doRead()
            elif events & _GONE:
                # The reader has read everything: this is a clean end.
                reading = bool(self._masks[selectable.fileno()] & _IN)
                why = CONNECTION_DONE if reading else CONNECTION_LOST
            if events & _OUT and not why and selectable.fileno() >= 0:
                reading = False
                why = selectable.doWrite()
        except BaseException as error:  # it must end only this connection
            self.log.failure("error while serving a connection")
            why = error
        if why:
            self._guard(self._disconnect, selectable, why, reading)

    def _guard(self, call: Callable[..., object], *arguments: Any) -> None:
        """Call, and catch all errors: otherwise the reactor would end all connections."""
        try:
            call(*arguments)
        except BaseException:
            self.log.failure("error while serving a connection")

    def _write(self) -> None:
        """Send what the transports hold; the rest waits until the kernel has room."""
        writers = self._writers
        for writer, fd in list(writers.items()):
            if writer in writers:
                self._serve(writer, _OUT)
                if writers.pop(writer, None) is not None:
                    self._guard(self._watch, fd, writer, self._masks.get(fd, 0) | _OUT)

    def _disconnect(self, selectable: Any, why: BaseException, reading: bool) -> None:
        """As Twisted's reactors do (``_disconnectSelectable``)."""
        self.removeReader(selectable)
        reason, fd = Failure(why), selectable.fileno()
        if reading and isinstance(why, ConnectionDone) and IHalfCloseableDescriptor.providedBy(selectable):
            if fd >= 0:
                self._half_closed.add(fd)
                self._watch(fd, selectable, self._masks.get(fd, 0))  # the kernel tells us of a reset
            selectable.readConnectionLost(reason)
        else:
            self.removeWriter(selectable)
            selectable.connectionLost(reason)


def _input_octets(fd: int) -> int:
    """How many octets of input the kernel has."""
    try:
        return int.from_bytes(ioctl(fd, FIONREAD, bytes(4)), sys.byteorder)
    except OSError:  # it was closed
        return 0


_TURNS: WeakKeyDictionary[Any, ReferenceType[Turn]] = WeakKeyDictionary()
"""By reactor.  Connections refer to their turn, and a turn to its reactor; this table keeps neither
alive."""


def turn_of(transport: Any) -> Turn | None:
    """Serve the connection of ``transport`` in turns from now on.

    :param transport: one that has just been connected: it is reading and has written nothing.
    :returns: None if the transport is not Twisted's own (`transport_below`): then nothing changes.
    """
    below = transport_below(transport) if _HAS_EPOLL else None
    if below is None:
        return None
    reactor = below.reactor
    if isinstance(reactor, Turn):
        return reactor
    known = _TURNS.get(reactor)
    turn = None if known is None else known()
    if turn is None:
        turn = Turn(reactor)
        _TURNS[reactor] = ref(turn)
    below.stopReading()
    below.reactor = turn
    below.startReading()
    return turn

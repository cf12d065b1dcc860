"""Asks one server of the DNS: by UDP, and by TCP if the answer is too long for that (RFC 7766)."""

from __future__ import annotations

from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory
from twisted.internet.threads import deferToThreadPool
from twisted.protocols.basic import Int16StringReceiver
from twisted.python.failure import Failure

from mailproto.relay._dns._answers import DNSFailure, NoAnswer
from mailproto.relay._dns._datagrams import Datagrams
from mailproto.relay._dns._messages import Malformed, Question, Response

__all__ = ["ask_server"]

LONG_ANSWER: Final = 4096
"""Octets from which an answer is read in one of the reactor's threads, because that takes milliseconds; no
longer ones are taken by UDP."""


async def ask_server(reactor: Any, server: tuple[str, int], question: Question, seconds: float) -> Response:
    """One attempt.

    :param reactor: Twisted's reactor: UDP, TCP, time and threads.
    :param server: its IP address and port.
    :param seconds: how long to wait for the answer by UDP, and again by TCP.
    :raises DNSFailure: there is no answer, or it cannot be used.
    """
    response = await _by_udp(reactor, server, question, seconds)
    if not response.is_truncated:
        return response
    octets = await _by_tcp(reactor, server, question, seconds)
    try:
        if len(octets) < LONG_ANSWER:
            response = question.read(octets)
        else:
            response = await deferToThreadPool(reactor, reactor.getThreadPool(), question.read, octets)
    except Malformed as error:
        raise DNSFailure(detail=str(error)) from None
    if response.is_truncated:
        raise DNSFailure(detail="the answer is cut off, even by TCP")
    return response


async def _by_udp(reactor: Any, server: tuple[str, int], question: Question, seconds: float) -> Response:
    answered: Deferred[Response] = Deferred()

    def heard(datagram: bytes) -> None:
        if answered.called:
            return
        try:
            response = question.read(datagram, is_whole=len(datagram) < LONG_ANSWER)
        except Malformed:
            return  # it may be forged, and the answer still to come
        except DNSFailure as error:
            answered.errback(error)
        else:
            answered.callback(response)

    def fail(why: str, kind: type[DNSFailure] = DNSFailure) -> None:
        if not answered.called:
            answered.errback(kind(detail=why))

    try:
        datagrams = Datagrams(reactor, server, question.octets, LONG_ANSWER, heard, fail)
    except OSError as error:
        raise DNSFailure(detail=f"it cannot be reached: {error.strerror or error}") from None
    timer = reactor.callLater(seconds, fail, f"no answer within {seconds:g} s", NoAnswer)
    try:
        return await answered
    finally:
        datagrams.close()
        if timer.active():
            timer.cancel()


async def _by_tcp(reactor: Any, server: tuple[str, int], question: Question, seconds: float) -> bytes:
    kind = TCP6ClientEndpoint if ":" in server[0] else TCP4ClientEndpoint
    asking = _Stream(question)
    factory = Factory.forProtocol(lambda: asking)
    factory.noisy = False
    connecting = kind(reactor, *server, timeout=seconds).connect(factory)
    connecting.addErrback(lambda failure: asking.fail(f"no TCP: {failure.getErrorMessage()}"))
    why = f"no answer by TCP within {seconds:g} s"
    timer = reactor.callLater(seconds, asking.fail, why, NoAnswer)
    try:
        return await asking.answered
    finally:
        if timer.active():
            timer.cancel()
        connecting.cancel()
        if asking.transport is not None:
            asking.transport.abortConnection()


class _Stream(Int16StringReceiver):
    """Sends the question, and takes one answer: of 64 KiB at most, because of its length's two octets."""

    transport: Any = None

    def __init__(self, question: Question) -> None:
        self._question = question
        self.answered: Deferred[bytes] = Deferred()

    def connectionMade(self) -> None:
        self.sendString(self._question.octets)  # type: ignore[no-untyped-call]

    def stringReceived(self, string: bytes) -> None:  # noqa: N802
        if not self.answered.called:
            self.answered.callback(string)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        self.fail("the connection was lost")

    def fail(self, why: str, kind: type[DNSFailure] = DNSFailure) -> None:
        """There is no answer."""
        if not self.answered.called:
            self.answered.errback(kind(detail=why))

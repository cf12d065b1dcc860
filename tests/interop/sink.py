"""A server in this process, for programs that bring it mail: the test sees what they said."""

from __future__ import annotations

import atexit
import os
import random
import shutil
import socket
import tempfile
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

from twisted.internet import reactor as installed
from twisted.internet.defer import DeferredQueue, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailproto.content import Content
from mailproto.delivery import FunctionDelivery
from mailproto.model import Envelope
from mailproto.smtp import SMTPServerFactory
from mailproto.tls import ensure_self_signed, server_tls
from tests.interop.server import HOST, PATIENCE, run

HOSTNAME = "sink.test"
reactor: Any = installed


@cache
def certificate() -> tuple[str, str]:
    """(certificate, key): files of one for `HOSTNAME`, which signed itself."""
    folder = tempfile.mkdtemp(prefix="mailproto-test-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    pem, key = ensure_self_signed(folder, HOSTNAME)
    return str(pem), str(key)


@cache
def free_port() -> int:
    """A port for the sink: always the same one, because other programs are told of it when they start."""
    return unused_port()


def unused_port() -> int:
    """A port that nothing listens on, and that the system gives to no outgoing connection meanwhile."""
    for port in random.sample(range(10_000, _first_ephemeral_port()), 200):
        with socket.socket() as listener:
            try:
                listener.bind((HOST, port))
            except OSError:
                continue
            return port
    raise OSError("no port is free")


@cache
def _first_ephemeral_port() -> int:
    """The first of the ports that the system chooses itself (Linux)."""
    return int(Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()[0])


def own_address(number: int) -> str:
    """A loopback address for ports that cannot be chosen; other processes have others.

    :param number: 1 to 254.
    """
    pid = os.getpid()
    return f"127.{64 + pid // 254 % 64}.{1 + pid % 254}.{number}"


class Arrival(NamedTuple):
    """One message that was brought."""

    envelope: Envelope
    content: bytes


class Sink:
    """Listens until the test ends.

    :param case: the test.
    :param path: of a Unix socket; "" for TCP.
    """

    def __init__(
        self,
        case: TestCase,
        factory_class: type[SMTPServerFactory] = SMTPServerFactory,
        *,
        path: str = "",
        **settings: Any,
    ) -> None:
        self._arrivals: DeferredQueue[Arrival] = DeferredQueue()
        settings.setdefault("tls", server_tls(*certificate()))
        self.factory = factory_class(
            settings.pop("delivery", None) or FunctionDelivery(self._deliver),
            clock=reactor,
            hostname=HOSTNAME,
            **settings,
        )
        self.port = free_port()
        if path:
            self._listening = reactor.listenUNIX(path, self.factory, mode=0o666)
        else:
            self._listening = reactor.listenTCP(self.port, self.factory, interface=HOST)
        case.addCleanup(self.close)

    async def close(self) -> None:
        """Listen no longer, and end what is open; a second time is no error."""
        await maybeDeferred(self._listening.stopListening)
        await self.factory.shut_down()

    def _deliver(self, envelope: Envelope, content: Content) -> None:
        self._arrivals.put(Arrival(envelope, bytes(content)))

    async def arrival(self) -> Arrival:
        """The next message.

        :raises twisted.internet.defer.TimeoutError: none came.
        """
        return await self._arrivals.get().addTimeout(PATIENCE, reactor)


async def run_beside(*command: Any, **options: Any) -> bytes:
    """`tests.interop.server.run`, while this process serves."""
    return await deferToThread(run, *command, **options)

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable
from functools import partial
from typing import Any

from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, fail
from twisted.internet.endpoints import serverFromString
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import deferLater
from twisted.trial.unittest import SkipTest, SynchronousTestCase, TestCase

from mailproto.service import SettingError, User, _listening
from mailproto.service._endpoints import unix_path, with_defaults
from mailproto.service._listening import ListenerService

ANY = "tcp:0:interface=127.0.0.1"


class Hello(Protocol):
    """A server's."""

    def connectionMade(self) -> None:
        self.transport.write(b"hello")  # type: ignore[attr-defined]


class Greeting(Factory):
    protocol = Hello  # type: ignore[assignment]
    noisy = False


class Endpoint:
    """Listens when, and if, a Deferred says so."""

    def __init__(self, outcome: Deferred[Any]) -> None:
        self.outcome = outcome

    def listen(self, factory: Factory) -> Deferred[Any]:
        return self.outcome


class Port:
    """As much of `IListeningPort` as is needed."""

    stopped = 0

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "127.0.0.1", 25)

    def stopListening(self) -> None:
        self.stopped += 1


def listener(
    endpoint: str, *, make_factory: Callable[[], Factory] = Greeting, user: User | None = None
) -> ListenerService:
    return ListenerService(
        "listen.lmtp", endpoint, make_factory, lambda address: None, reactor=reactor, user=lambda: user
    )


def _answer_with(port: Port, pending: Deferred[Any]) -> None:
    pending.callback(port)


def port_of(service: ListenerService) -> int:
    return int(service._port.getHost().port)  # type: ignore


class DefaultsTests(SynchronousTestCase):
    def test_asked_for_where_it_can_be(self) -> None:
        for endpoint, more in (
            ("tcp:25", ":backlog=1024"),
            ("tcp:25:interface=127.0.0.1", ":backlog=1024"),
            (r"tcp6:25:interface=\:\:1", ":backlog=1024"),
            ("haproxy:tcp:25", ":backlog=1024"),
            ("unix:/run/lmtp", ":mode=660:backlog=1024"),
            ("unix:address=/run/lmtp", ":mode=660:backlog=1024"),
            (r"unix:/run/mode\=666", ":mode=660:backlog=1024"),
            (r"unix:/run/a\:mode\=666", ":mode=660:backlog=1024"),
            ("unix:/run/lmtp:backlog=5", ":mode=660"),
            ("unix:/run/lmtp:lockfile=0", ":mode=660:backlog=1024"),
            ("unix:/run/lmtp:mode=600", ":backlog=1024"),
            ("unix:/run/lmtp:600", ":backlog=1024"),
            ("haproxy:unix:/run/lmtp", ":mode=660:backlog=1024"),
            ("haproxy:haproxy:unix:/run/lmtp", ":mode=660:backlog=1024"),
        ):
            with self.subTest(endpoint=endpoint):
                self.assertEqual(with_defaults(endpoint), endpoint + more)
                serverFromString(reactor, with_defaults(endpoint))

    def test_not_where_it_is_given_or_has_no_meaning(self) -> None:
        for endpoint in (
            "tcp:25:backlog=5",
            "tcp:25:127.0.0.1:5",
            "unix:/run/lmtp:mode=600:backlog=5",
            "unix:/run/lmtp:600:5",
            "haproxy:unix:/run/lmtp:mode=666:backlog=5",
            "systemd:domain=INET:index=0",
            "",
            ":",
            "\\",
        ):
            self.assertEqual(with_defaults(endpoint), endpoint)

    def test_where_the_socket_is(self) -> None:
        for endpoint, path in (
            ("unix:/run/lmtp", "/run/lmtp"),
            ("unix:mode=600:address=/run/lmtp", "/run/lmtp"),
            (r"unix:/run/a\:b\=c\\d", r"/run/a:b=c\d"),
            ("haproxy:unix:/run/lmtp:600", "/run/lmtp"),
            ("unix:\0abstract", None),
            ("unix:", None),
            ("unix", None),
            ("tcp:25", None),
            ("systemd:domain=UNIX:index=0", None),
        ):
            self.assertEqual(unix_path(endpoint), path)


class UnixTests(TestCase):
    def setUp(self) -> None:
        self.path = os.path.relpath(self.mktemp())  # an absolute one would be too long
        self.lock = f"{self.path}.lock"

    async def listen(self, more: str = "", user: User | None = None) -> ListenerService:
        name = "haproxy:unix" if more == "haproxy" else "unix"
        endpoint = f"{name}:{self.path}{more.removeprefix('haproxy')}"
        service = listener(endpoint, user=user)
        self.addCleanup(service.stopService)
        await service.startService()
        return service

    def mode(self) -> int:
        return os.stat(self.path).st_mode & 0o7777

    async def test_modes(self) -> None:
        for umask in (0o000, 0o022, 0o077):
            for more, mode in (("", 0o660), (":mode=666", 0o666), (":600", 0o600), ("haproxy", 0o660)):
                with self.subTest(umask=umask, more=more):
                    self.path = os.path.relpath(self.mktemp())
                    before = os.umask(umask)
                    try:
                        await self.listen(more)
                        self.assertEqual(os.umask(umask), umask)
                    finally:
                        os.umask(before)
                    self.assertEqual(self.mode(), mode)

    async def test_nobody_elses_before_it_has_its_mode(self) -> None:
        modes = []
        chmod = os.chmod

        def watched(path: Any, mode: int) -> None:
            modes.append(self.mode())
            chmod(path, mode)

        self.patch(os, "chmod", watched)
        before = os.umask(0)
        try:
            await self.listen(":mode=666")
        finally:
            os.umask(before)
        self.assertEqual(modes, [0o600])

    async def test_left_over(self) -> None:
        """By a process that was killed, whose number another one has now, or we have."""
        for holder in (None, 1, os.getppid(), os.getpid(), 2**22 + 1, "nonsense"):
            for is_there in (True, False):
                with self.subTest(holder=holder, is_there=is_there):
                    self.path = os.path.relpath(self.mktemp())
                    if is_there:
                        with socket.socket(socket.AF_UNIX) as left_over:
                            left_over.bind(self.path)
                    if holder is not None:
                        os.symlink(str(holder), f"{self.path}.lock")
                    await self.listen()
                    self.assertEqual(self.mode(), 0o660)
                    self.assertEqual(os.readlink(f"{self.path}.lock"), str(os.getpid()))

    async def test_without_a_lock(self) -> None:
        with socket.socket(socket.AF_UNIX) as left_over:
            left_over.bind(self.path)
        await self.listen(":lockfile=0")
        self.assertEqual((self.mode(), os.path.lexists(self.lock)), (0o660, False))

    async def refusal(self, more: str = "") -> str:
        try:
            await self.listen(more)
        except SettingError as error:
            self.assertEqual(error.path, "listen.lmtp")
            return error.reason
        raise AssertionError("it listens")

    async def test_in_use(self) -> None:
        await self.listen()
        holder = f"process {os.getpid()} listens there: end it, or choose another name"
        self.assertEqual(await self.refusal(), holder)
        os.unlink(self.lock)
        another = "another process listens there: end it, or choose another name"
        self.assertEqual(await self.refusal(":lockfile=0"), another)
        os.symlink(str(os.getpid()), self.lock)  # for the end

    async def test_a_file_is_not_removed(self) -> None:
        reason = "there is a file of this name, which is no socket: remove it, or choose another name"
        for make in (
            lambda path: open(path, "w").close(),
            os.mkdir,
            lambda path: os.symlink("nothing", path),
        ):
            self.path = os.path.relpath(self.mktemp())
            make(self.path)
            self.assertEqual(await self.refusal(), reason)
            self.assertTrue(os.path.lexists(self.path))

    async def test_what_is_no_lock_is_not_removed(self) -> None:
        os.mkdir(self.lock)
        await self.refusal()
        self.assertTrue(os.path.isdir(self.lock))

    async def test_where_it_cannot_be(self) -> None:
        folder = os.path.dirname(self.path)
        self.path = f"{folder}/nothing/lmtp"
        self.assertEqual(await self.refusal(), f"there is no folder {folder}/nothing: make it first")
        self.path = "x" * 150
        self.assertIn("too long", await self.refusal())

    async def test_root_gives_it_to_the_user_that_the_process_will_be(self) -> None:
        if os.geteuid():
            raise SkipTest("needs root")
        folder = os.path.dirname(self.path)
        for mode, user, owner in (
            (0o755, User(65534, 65533), (65534, 65533)),
            (0o755, User(65534, None), (65534, 65534)),
            (0o755, User(None, 65533), (0, 65533)),
            (0o2755, User(65534, 65533), (65534, os.stat(folder).st_gid)),
        ):
            with self.subTest(mode=mode, user=user):
                os.chmod(folder, mode)
                self.path = os.path.relpath(self.mktemp())
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
                os.chmod(os.path.dirname(self.path), mode)
                await self.listen(user=user)
                for path in (self.path, f"{self.path}.lock"):
                    found = os.lstat(path)
                    self.assertEqual((found.st_uid, found.st_gid), owner)
                self.assertEqual(self.mode(), 0o660)


class ListenTests(TestCase):
    async def test_many_connect_before_one_is_accepted(self) -> None:
        service = listener(ANY)
        await service.startService()
        port = port_of(service)
        clients = []
        try:
            for _ in range(300):  # the reactor does not run meanwhile
                client = socket.socket()
                clients.append(client)
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port))
            waiting = select.poll()
            for client in clients:
                waiting.register(client, select.POLLOUT)
            self.assertEqual(len(waiting.poll(500)), 300)
        finally:
            for client in clients:
                client.close()
            await service.stopService()

    async def test_who_comes_before_the_store_is_ready_waits(self) -> None:
        made: list[Greeting] = []
        service = listener(ANY, make_factory=lambda: made.append(Greeting()) or made[0])  # type: ignore[func-returns-value]
        service.privilegedStartService()
        self.addCleanup(service.stopService)
        with socket.create_connection(("127.0.0.1", port_of(service)), 5) as client:
            client.setblocking(False)
            for _ in range(5):
                await deferLater(reactor, 0.02)
                self.assertRaises(BlockingIOError, client.recv, 100)
            self.assertEqual(made, [])
            await service.startService()
            await deferLater(reactor, 0.05)
            self.assertEqual(client.recv(100), b"hello")

    async def test_a_port_that_cannot_make_clients_wait_closes_their_connections(self) -> None:
        """And serves those that come later."""
        service = listener(ANY, make_factory=Greeting)
        self.patch(service, "_accept_from", lambda port, accept: None)
        service.privilegedStartService()
        self.addCleanup(service.stopService)
        for expected in (b"", b"hello"):
            with socket.create_connection(("127.0.0.1", port_of(service)), 5) as client:
                client.setblocking(False)
                await deferLater(reactor, 0.05)
                self.assertEqual(client.recv(100), expected)
            if not expected:
                await service.startService()

    async def test_an_endpoint_that_answers_later(self) -> None:
        for outcome in (
            None,
            CannotListenError(None, 25, OSError(98, "Address already in use")),
            ValueError(),
        ):
            with self.subTest(outcome=outcome):
                pending: Deferred[Any] = Deferred()
                self.patch(_listening, "serverFromString", lambda *_, p=pending: Endpoint(p))
                service = listener("later:25")
                service.privilegedStartService()
                started = service.startService()
                self.assertNoResult(started)
                port = Port()
                pending.callback(port) if outcome is None else pending.errback(outcome)
                if outcome is None:
                    self.successResultOf(started)
                else:
                    error = self.failureResultOf(started, SettingError).value
                    self.assertTrue(str(error).startswith("listen.lmtp later:25: "), error)
                self.successResultOf(service.stopService())
                self.assertEqual(port.stopped, int(outcome is None))

    async def test_stopped_before_it_listens(self) -> None:
        """Whether or not the endpoint takes notice."""
        for is_ignored in (False, True):
            port = Port()
            pending: Deferred[Any] = Deferred(partial(_answer_with, port) if is_ignored else None)
            self.patch(_listening, "serverFromString", lambda *_, p=pending: Endpoint(p))
            service = listener("later:25")
            service.privilegedStartService()
            self.successResultOf(service.stopService())
            self.assertEqual(port.stopped, int(is_ignored))

    async def test_where_it_cannot_be(self) -> None:
        for endpoint, reason in (
            ("tcp:65536:interface=127.0.0.1", "a port is a number from 0 to 65535"),
            (
                "tcp:0:interface=192.0.2.1",
                "Cannot assign requested address: it is no address of this machine",
            ),
            ("nonsense:1", "not a Twisted server endpoint that works ("),
            ("tcp:0:interface=no such host", ""),
        ):
            with self.subTest(endpoint=endpoint):
                service = listener(endpoint)
                error = self.assertRaises(SettingError, service.privilegedStartService)
                self.assertEqual((error.path, error.value), ("listen.lmtp", endpoint))
                self.assertTrue(error.reason.startswith(reason), error.reason)
                self.assertNotIn("\n", error.reason)

    async def test_a_port_for_root_alone(self) -> None:
        self.patch(
            _listening,
            "serverFromString",
            lambda *_: Endpoint(fail(CannotListenError("", 25, OSError(13, "Denied")))),
        )
        error = self.assertRaises(SettingError, listener("tcp:25").privilegedStartService)
        self.assertIn("may not listen there: start as root (twistd --uid USER --gid GROUP", error.reason)

from __future__ import annotations

import os
import select
import socket
from typing import Any

from twisted.internet import reactor
from twisted.internet.endpoints import serverFromString
from twisted.internet.protocol import Factory
from twisted.trial.unittest import SynchronousTestCase, TestCase

from mailproto.service._endpoints import unix_path, with_defaults
from mailproto.service._listeners import LISTENERS, listen
from mailproto.tls import ServerTLS


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

    async def listen(self, more: str = "") -> None:
        name = "haproxy:unix" if more == "haproxy" else "unix"
        endpoint = f"{name}:{self.path}{more.removeprefix('haproxy')}"
        port = await listen(reactor, LISTENERS["lmtp"], endpoint, Factory(), ServerTLS.__new__(ServerTLS))
        self.addCleanup(port.stopListening)

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
        except OSError as error:
            return str(error)
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


class ListenTests(TestCase):
    async def test_many_connect_before_one_is_accepted(self) -> None:
        port = await listen(
            reactor, LISTENERS["smtp"], "tcp:0:interface=127.0.0.1", Factory(), ServerTLS.__new__(ServerTLS)
        )
        clients = []
        try:
            for _ in range(300):  # the reactor does not run meanwhile
                client = socket.socket()
                clients.append(client)
                client.setblocking(False)
                client.connect_ex(("127.0.0.1", port.getHost().port))
            waiting = select.poll()
            for client in clients:
                waiting.register(client, select.POLLOUT)
            self.assertEqual(len(waiting.poll(500)), 300)
        finally:
            for client in clients:
                client.close()
            await port.stopListening()

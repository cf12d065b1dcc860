"""Unix sockets: their modes and owners, and what an earlier process left."""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.application.service import Application
from twisted.trial.unittest import SkipTest, TestCase

from mailproto.listening import Listener, ListenError
from tests.listening.servers import Greeting


class UnixTests(TestCase):
    def setUp(self) -> None:
        self.path = os.path.relpath(self.mktemp())  # an absolute one would be too long
        self.lock = f"{self.path}.lock"

    async def listen(self, more: str = "", owner: tuple[int | None, int | None] = (None, None)) -> Listener:
        name = "haproxy:unix" if more == "haproxy" else "unix"
        endpoint = f"{name}:{self.path}{more.removeprefix('haproxy')}"
        service = Listener(endpoint, Greeting())
        service.socket_owner = owner
        self.addCleanup(service.stop)
        await service.start()
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
        except ListenError as error:
            self.assertEqual(str(error), f"cannot listen on {error.endpoint}: {error.reason}")
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
        for mode, given, owner in (
            (0o755, (65534, 65533), (65534, 65533)),
            (0o755, (65534, None), (65534, 65534)),
            (0o755, (None, 65533), (0, 65533)),
            (0o2755, (65534, 65533), (65534, os.stat(folder).st_gid)),
        ):
            with self.subTest(mode=mode, given=given):
                os.chmod(folder, mode)
                self.path = os.path.relpath(self.mktemp())
                os.makedirs(os.path.dirname(self.path), exist_ok=True)
                os.chmod(os.path.dirname(self.path), mode)
                await self.listen(owner=given)
                for path in (self.path, f"{self.path}.lock"):
                    found = os.lstat(path)
                    self.assertEqual((found.st_uid, found.st_gid), owner)
                self.assertEqual(self.mode(), 0o660)

    async def test_the_user_of_an_application(self) -> None:
        if os.geteuid():
            raise SkipTest("needs root")
        listener = Listener(f"unix:{self.path}", Greeting())
        listener.setServiceParent(Application("test", uid=65534, gid=65533))
        listener.privilegedStartService()
        self.addCleanup(listener.stop)
        found = os.lstat(self.path)
        self.assertEqual((found.st_uid, found.st_gid), (65534, 65533))

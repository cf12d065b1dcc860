"""A server at Unix sockets: who gets in, and another user's Postfix, as docs/running.md says."""

from __future__ import annotations

import os
import shutil
import smtplib
import sys
import time
from pathlib import Path

from twisted.trial.unittest import SkipTest, TestCase

from tests.interop.daemons import Daemon, postfix
from tests.interop.server import HOST, PATIENCE, Server, message, need, new_folder, run

_CONNECT = "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])"


class UnixSocketTests(TestCase):
    def setUp(self) -> None:
        if os.geteuid() != 0:
            raise SkipTest("needs root, to be somebody else")
        need("setpriv", "util-linux")
        self.postfix: Daemon = postfix()
        self.folder = self.postfix.folder
        self.addCleanup(os.chown, self.folder, -1, self.folder.stat().st_gid)
        self.addCleanup(self.folder.chmod, self.folder.stat().st_mode & 0o7777)

    def serve(self, *options: str) -> Server:
        server = Server(new_folder(), ["alice@unix.test"], ["--domain", "unix.test", *options])
        self.addCleanup(server.kill)
        return server

    def may_connect(self, user: str, path: Path) -> bool:
        switch = ("setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups")
        python = Path(sys.executable).resolve()  # others may not enter the environment
        try:
            run(*switch, python, "-c", _CONNECT, path)
        except AssertionError as error:
            self.assertIn("Permission denied", str(error))
            return False
        return True

    def test_another_users_postfix(self) -> None:
        shutil.chown(self.folder, group="postfix")
        self.folder.chmod(0o2755)
        path = self.folder / "lmtp"
        server = self.serve("--lmtp", f"unix:{path}")
        _, octets = message("Through a Unix socket.", to="alice@unix.test")
        with smtplib.SMTP(HOST, self.postfix.port, timeout=PATIENCE) as client:
            client.sendmail("bob@plain.test", ["alice@unix.test"], octets)
        deadline = time.monotonic() + PATIENCE
        while "to=<alice@unix.test>" not in self.postfix.printed():
            self.assertLess(time.monotonic(), deadline, self.postfix.printed())
            time.sleep(0.05)
        self.assertRegex(self.postfix.printed(), r"to=<alice@unix\.test>.* status=sent \(250 ")
        self.assertEqual([self.may_connect(user, path) for user in ("postfix", "games")], [True, False])
        server.terminate()

    def test_modes(self) -> None:
        paths = [self.folder / name for name in ("smtp", "imap", "pop3", "submissions", "open")]
        options = [word for path in paths[:-1] for word in (f"--{path.name}", f"unix:{path}")]
        server = self.serve(*options, "--lmtp", f"unix:{paths[-1]}:mode=666")
        for path in paths:
            is_open = path.name == "open"
            self.assertEqual(path.stat().st_mode & 0o777, 0o666 if is_open else 0o660)
            self.assertEqual(self.may_connect("games", path), is_open)
        server.kill()
        self.assertTrue(paths[0].exists())
        server.start()  # though the dead one's sockets and locks are there
        server.terminate()
        self.assertFalse(any(os.path.lexists(f"{path}{end}") for path in paths for end in ("", ".lock")))

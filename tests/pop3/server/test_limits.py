"""Each limit of `POP3Limits` is the server's own, not only its default."""

from __future__ import annotations

import gc
from typing import Any

from mailproto.errors import Unavailable
from mailproto.pop3.limits import POP3Limits
from mailproto.pop3.wire import POP3WireLimits
from tests.pop3.server.session import ALICE, SessionTestCase


class LimitTests(SessionTestCase):
    def test_bad_commands(self) -> None:
        self.factory = self.make_factory(limits=POP3Limits(bad_commands=2))
        transport = self.play("C: FOO\nS: -ERR...")
        transport.send(b"FOO\r\n")
        self.assertTrue(transport.read().endswith(b"-ERR Too many bad commands\r\n"))

    def test_sessions_of_the_same_messages_share_their_numbers(self) -> None:
        self.inbox.add(b"x")
        transports = [self.sign_in(), self.sign_in()]
        self.inbox.add(b"y")
        transports.append(self.sign_in())
        sessions: list[Any] = [transport.protocol for transport in transports]
        drops = [session._state._drop for session in sessions]
        self.assertIs(drops[1]._uids, drops[0]._uids)
        self.assertIs(drops[1]._sizes, drops[0]._sizes)
        self.assertEqual([list(drop._sizes) for drop in drops], [[1], [1], [1, 1]])
        while transports:
            transports.pop().drop()
        sessions.clear()
        drops.clear()
        gc.collect()
        self.assertEqual(dict(self.factory.columns), {})

    def test_sessions_of_an_account(self) -> None:
        self.factory = self.make_factory(limits=POP3Limits(sessions_per_account=2))
        first, _ = self.play(ALICE), self.play(ALICE)
        last = "C: PASS secret word\nS: -ERR [SYS/TEMP] Too many connections of this account"
        third = self.play(f"C: USER alice\nS: +OK...\n{last}")
        first.drop()
        self.play(ALICE, third)
        self.assertEqual(self.factory._accounts, {"alice": 2})

    def test_a_login_that_fails_later_is_not_counted(self) -> None:
        self.factory = self.make_factory(limits=POP3Limits(sessions_per_account=1))
        self.account.failure = Unavailable()
        transport = self.play("C: USER alice\nS: +OK...\nC: PASS secret word\nS: -ERR...")
        self.assertEqual(self.factory._accounts, {})
        self.account.failure = None
        self.play(ALICE, transport)

    def test_by_default_only_from_elsewhere(self) -> None:
        limits = POP3Limits()
        self.assertEqual(limits.sessions_of_account(is_near=False), 20)
        self.assertEqual(limits.sessions_of_account(is_near=True), float("inf"))

    def test_failed_logins(self) -> None:
        attempt = "C: USER alice\nS: +OK...\nC: PASS wrong\nS: -ERR [AUTH]...\n"
        for number in (1, 3):
            self.factory = self.make_factory(limits=POP3Limits(failed_logins=number, failure_delay=0))
            transport = self.play(attempt * (number - 1) if number > 1 else "C: NOOP\nS: -ERR...")
            self.assertTrue(transport.is_open)
            self.play(attempt + "S closes", transport)

    def test_lengths(self) -> None:
        self.factory = self.make_factory(limits=POP3Limits(wire=POP3WireLimits(line=20, auth_line=40)))
        transport = self.play("C: USER alice\nS: +OK...\nC: USER alicealicealice\nS: -ERR Line too long")
        transport.send(b"AUTH PLAIN " + b"A" * 30 + b"\r\n")
        self.assertEqual(transport.read(), b"-ERR Line too long\r\n")

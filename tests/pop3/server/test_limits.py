"""Each limit of `POP3Limits` is the server's own, not only its default."""

from __future__ import annotations

from mailproto.pop3.limits import POP3Limits
from mailproto.pop3.wire import POP3WireLimits
from tests.pop3.server.session import SessionTestCase


class LimitTests(SessionTestCase):
    def test_bad_commands(self) -> None:
        self.factory = self.make_factory(limits=POP3Limits(bad_commands=2))
        transport = self.play("C: FOO\nS: -ERR...")
        transport.send(b"FOO\r\n")
        self.assertTrue(transport.read().endswith(b"-ERR Too many bad commands\r\n"))

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

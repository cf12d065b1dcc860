"""What a user may ask of a POP3 client, and nothing else."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from mailproto.pop3 import POP3Client
from mailproto.pop3.wire import POP3ReplyLimits
from tests.arguments import assert_refused
from tests.smtp.client.test_face import EVERY_CLIENTS

POP3S = """
    authenticated_by capa capabilities commit dele greeting lang list noop retr rset save stat stream top uidl
    utf8
"""


class FaceTests(SynchronousTestCase):
    def test_names(self) -> None:
        """A new one is a decision, made here too."""
        public = {name for name in dir(POP3Client(Clock())) if not name.startswith("_")}
        self.assertEqual(public, set(EVERY_CLIENTS.split()) | set(POP3S.split()))

    def test_before_it_is_connected(self) -> None:
        client = POP3Client(Clock())
        self.assertFalse(client.is_usable)
        self.assertIsNone(client.greeting)
        self.assertEqual((client.authenticated_by, client.capabilities), ("", {}))
        self.assertNoResult(client.stat())
        self.successResultOf(client.closed())
        self.successResultOf(client.quit())

    def test_wrong_settings(self) -> None:
        for line, settings in (
            ("timeouts must be a POP3Timeouts or None, not 5: write POP3Timeouts(...)", {"timeouts": 5}),
            ("limits must be a POP3ReplyLimits or None, not 5", {"limits": 5}),
            ("pipelining must be True or False, not 1...", {"pipelining": 1}),
            ("is_remote must be True or False, not 'no'...", {"is_remote": "no"}),
        ):
            assert_refused(self, line, POP3Client, Clock(), **settings)
        self.assertRaises(ValueError, POP3ReplyLimits, line=0)
        self.assertRaises(TypeError, POP3Client, 5)

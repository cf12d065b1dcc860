"""UNAUTHENTICATE (RFC 8437)."""

from __future__ import annotations

import zlib
from typing import Any

from tests.imap.server.dialogue import DialogueTestCase, run


class UnauthenticateTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        run(self.store.directory.add("bob", ""))

    def test_nothing_of_the_account_stays(self) -> None:
        self.fill(2, flags=["\\Deleted"])
        client = self.sign_in(select="INBOX")
        view = client.session.view
        self.talk(
            """
            C: a ENABLE UTF8=ACCEPT
            S: * ENABLED UTF8=ACCEPT
            S: a OK ENABLE completed
            C: b UNAUTHENTICATE
            S: b OK [CAPABILITY IMAP4rev1 ... AUTH=PLAIN AUTH=LOGIN] Signed out
            C: c SELECT INBOX
            S: c BAD [CLIENTBUG] Not valid in this state
            C: d CREATE x
            S: d BAD [CLIENTBUG] Not valid in this state
            C: e UNAUTHENTICATE
            S: e BAD [CLIENTBUG] Not valid in this state
            """
        )
        session = client.session
        self.assertEqual((session.enabled, session.wire.utf8, session.view), (set(), False, None))
        self.assertEqual(session.wire.limits, session.limits.before_login)
        self.assertEqual((self.factory._accounts, view._on_hint), ({}, None))
        self.assertEqual(run(self.inbox.status()).messages, 2)
        self.talk(
            """
            C: f LOGIN bob secret
            S: f OK [CAPABILITY ... UNAUTHENTICATE...] Logged in
            C: g SELECT INBOX
            S: * FLAGS ...
            S: * OK [PERMANENTFLAGS ...] ...
            S: * 0 EXISTS
            S: * 0 RECENT
            S: * OK [UIDVALIDITY ...] ...
            S: * OK [UIDNEXT 1] ...
            S: * OK [MAILBOXID ...
            S: g OK [READ-WRITE] SELECT completed
            C: h SEARCH CHARSET UTF-8 ALL
            S: * SEARCH
            S: h OK SEARCH completed
            """
        )

    def test_it_may_be_followed_at_once(self) -> None:
        client = self.sign_in()
        client.send(b"a UNAUTHENTICATE\r\nb LOGIN bob secret\r\nc NOOP\r\n")
        said = client.received()
        self.assertIn(b"b OK [CAPABILITY", said)
        self.assertIn(b"c OK NOOP completed\r\n", said)

    def test_the_time_to_sign_in_begins_anew(self) -> None:
        client = self.sign_in()
        for _ in range(20):
            self.clock.advance(59)
            client.send(b"a NOOP\r\n")
        client.send(b"a UNAUTHENTICATE\r\n")
        client.received()
        self.clock.advance(30)
        client.send(b"b NOOP\r\n")
        self.assertEqual(client.received(), b"b OK NOOP completed\r\n")
        self.clock.advance(61)
        self.assertIn(b"* BYE ", client.received())

    def test_it_is_announced_to_those_who_can_use_it(self) -> None:
        client = self.open()
        self.assertNotIn(b"UNAUTHENTICATE", client.received())

    def test_compression_ends(self) -> None:
        client = self.sign_in()
        for ends in (True, False):
            client.send(b"z COMPRESS DEFLATE\r\n")
            client.received()
            out: Any = zlib.compressobj(6, zlib.DEFLATED, -15)
            client.send(
                out.compress(b"a UNAUTHENTICATE\r\n")
                + out.flush(zlib.Z_FINISH if ends else zlib.Z_SYNC_FLUSH)
                + (b"b LOGIN alice secret\r\n" if ends else b"")
            )
            back: Any = zlib.decompressobj(-15)
            self.assertIn(b"a OK [CAPABILITY", back.decompress(client.received()))
            self.assertTrue(back.eof)
            if ends:
                self.assertIn(b"b OK [CAPABILITY", back.unused_data)
        client.send(b"c NOOP\r\n")
        self.assertEqual(client.received(), b"c OK NOOP completed\r\n")

    def test_the_end_of_the_compressed_octets_comes_later(self) -> None:
        """As the client may send it: with the command, after it, or not at all (RFC 8437 3)."""
        out: Any = zlib.compressobj(6, zlib.DEFLATED, -15)
        flushed = out.compress(b"a UNAUTHENTICATE\r\n") + out.flush(zlib.Z_SYNC_FLUSH)
        end = out.flush(zlib.Z_FINISH)
        for stream in (flushed, flushed + end):
            for cut in range(len(flushed) - 4, len(stream) + 1):
                client = self.sign_in()
                client.send(b"z COMPRESS DEFLATE\r\n")
                client.received()
                client.send(stream[:cut])
                client.send(stream[cut:] + b"b NO")
                client.send(b"OP\r\n")
                back: Any = zlib.decompressobj(-15)
                self.assertIn(b"a OK [CAPABILITY", back.decompress(client.received()), (stream, cut))
                self.assertEqual(back.unused_data, b"b OK NOOP completed\r\n", (stream, cut))

    def test_what_is_no_end(self) -> None:
        client = self.sign_in()
        client.send(b"z COMPRESS DEFLATE\r\n")
        client.received()
        out: Any = zlib.compressobj(6, zlib.DEFLATED, -15)
        client.send(out.compress(b"a UNAUTHENTICATE\r\n") + out.flush(zlib.Z_SYNC_FLUSH))
        client.received()
        client.send(b"\0" * 100)
        self.assertIn(b"BYE", client.received())

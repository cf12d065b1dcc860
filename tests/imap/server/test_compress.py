"""COMPRESS=DEFLATE (RFC 4978)."""

from __future__ import annotations

import random
import time
import zlib
from typing import Any

from mailproto.connection._compression import COMPRESSORS, PIECE, Deflater, Inflater
from mailproto.connection._line import TURN
from tests.imap.server.dialogue import Client, DialogueTestCase, message


class Compressing:
    """A client that compresses."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._out: Any = zlib.compressobj(6, zlib.DEFLATED, -15)
        self._in: Any = zlib.decompressobj(-15)

    def compressed(self, data: bytes) -> bytes:
        octets: bytes = self._out.compress(data) + self._out.flush(zlib.Z_SYNC_FLUSH)
        return octets

    def send(self, data: bytes) -> None:
        self.client.send(self.compressed(data))

    def received(self) -> bytes:
        octets: bytes = self._in.decompress(self.client.received())
        return octets


class CompressTests(DialogueTestCase):
    def compress(self, name: str = "", select: str = "") -> Compressing:
        client = self.sign_in(name, select)
        client.send(b"z COMPRESS DEFLATE\r\n")
        self.assertEqual(client.received(), b"z OK DEFLATE active\r\n")
        return Compressing(client)

    def test_both_sides_compress(self) -> None:
        self.fill(2)
        client = self.compress()
        client.send(b"a SELECT INBOX\r\n")
        self.assertIn(b"* 2 EXISTS\r\n", client.received())
        client.send(b"b FETCH 1:* BODY.PEEK[]\r\nc NOOP\r\nd APPEND INBOX {3+}\r\nnew\r\n")
        said = client.received()
        self.assertIn(message("Number 2"), said)
        self.assertIn(b"c OK NOOP completed\r\n* 3 EXISTS\r\n* 3 RECENT\r\nd OK [APPENDUID", said)
        for octet in client.compressed(b"e LOGOUT\r\n"):
            client.client.send(bytes([octet]))
        self.assertEqual(client.received(), b"* BYE Logging out\r\ne OK LOGOUT completed\r\n")
        self.assertFalse(client.client.transport.is_open)

    def test_one_flush_for_replies_that_go_together(self) -> None:
        client = self.compress()
        client.send(b"a NOOP\r\nb NOOP\r\nc NOOP\r\n")
        octets = client.client.received()
        self.assertEqual(octets.count(b"\0\0\xff\xff"), 1)

    def test_not_twice(self) -> None:
        client = self.compress()
        client.send(b"a COMPRESS DEFLATE\r\nb NOOP\r\n")
        said = client.received()
        self.assertIn(b"a NO [COMPRESSIONACTIVE] DEFLATE is active already\r\nb OK ", said)

    def test_what_is_wrong(self) -> None:
        self.talk_plainly(
            b"a COMPRESS DEFLATE\r\n", b"a BAD [CLIENTBUG] Not valid in this state\r\n", signs_in=False
        )
        for command, answer in (
            (b"a COMPRESS LZ4\r\n", b"a BAD DEFLATE is the only algorithm\r\n"),
            (b"a COMPRESS\r\n", b"a BAD Missing argument\r\n"),
        ):
            self.talk_plainly(command, answer)

    def talk_plainly(self, command: bytes, answer: bytes, *, signs_in: bool = True) -> None:
        client = self.sign_in() if signs_in else self.connect()
        client.send(command + b"b NOOP\r\n")
        self.assertEqual(client.received(), answer + b"b OK NOOP completed\r\n")

    def test_octets_that_are_not_deflate(self) -> None:
        for octets in (b"a NOOP\r\n", b"\xff" * 100, zlib.compress(b"a NOOP\r\n")):
            client = self.compress()
            client.client.send(octets)
            self.assertEqual(client.received(), b"* BYE Compressed data is damaged\r\n")
            self.assertFalse(client.client.transport.is_open)

    def test_a_plain_command_that_came_ahead_is_not_run(self) -> None:
        client = self.sign_in()
        client.send(b"z COMPRESS DEFLATE\r\na NOOP\r\n")
        begun, _, rest = client.received().partition(b"\r\n")
        self.assertEqual(begun, b"z OK DEFLATE active")
        self.assertEqual(zlib.decompressobj(-15).decompress(rest), b"* BYE Compressed data is damaged\r\n")

    def test_nothing_after_the_end_of_the_stream(self) -> None:
        client = self.compress()
        stream: Any = zlib.compressobj(6, zlib.DEFLATED, -15)
        octets = stream.compress(b"a NOOP\r\n") + stream.flush(zlib.Z_FINISH)
        client.client.send(octets + b"more")
        self.assertEqual(client.received(), b"a OK NOOP completed\r\n* BYE Compressed data is damaged\r\n")

    def test_a_few_octets_that_stand_for_many(self) -> None:
        """They are restored in pieces, and others have their turn in between."""
        client = self.compress()
        bomb = client.compressed(b"a " + b"x" * (10 << 20))
        self.assertLess(len(bomb), 12_000)
        turns = self.slow_clock(TURN)
        client.client.send(bomb)
        most = 0
        for _ in range(5000):
            session = client.client.session
            most = max(most, session.wire.pending + session._inflater.pending)
            self.clock.advance(0)
            if not client.client.transport.is_open:
                break
        self.assertGreater(len(turns), 50)
        self.assertLess(most, 100_000 + len(bomb))
        self.assertIn(b"* BYE ", client.received())

    def test_much_is_compressed_in_turns(self) -> None:
        body = random.Random(1).randbytes(700_000).hex()
        self.inbox.add(message("large", body), (), 0)
        client = self.compress(select="INBOX")
        sizes: list[int] = []
        compress = Deflater.compress

        def measured(deflater: Deflater, data: bytes) -> bytes:
            sizes.append(len(data))
            return compress(deflater, data)

        self.patch(Deflater, "compress", measured)
        self.slow_clock(TURN / 20)
        client.send(b"a FETCH 1 BODY.PEEK[]\r\n")
        said = b""
        for _ in range(200):
            self.clock.advance(0)
            said += client.received()
        self.assertTrue(body.encode() in said and b"a OK" in said, said[-100:])
        self.assertLessEqual(max(sizes), PIECE)

    def test_idle(self) -> None:
        client = self.compress(select="INBOX")
        client.send(b"a IDLE\r\n")
        self.assertEqual(client.received(), b"+ idling\r\n")
        self.fill(1)
        self.assertIn(b"* 1 EXISTS\r\n", client.received())
        client.send(b"DONE\r\n")
        self.assertIn(b"a OK", client.received())

    def test_compressors_are_few(self) -> None:
        """One that has lost its compressor goes on with a new one."""
        deflaters = [Deflater() for _ in range(COMPRESSORS + 50)]
        inflaters: list[Any] = [zlib.decompressobj(-15) for _ in deflaters]
        for _ in range(2):
            for deflater, inflater in zip(deflaters, inflaters, strict=True):
                self.assertEqual(inflater.decompress(deflater.compress(b"hello" * 50)), b"hello" * 50)
        self.assertEqual(len(Deflater._used), COMPRESSORS)
        for deflater in deflaters:
            deflater.close()
        self.assertEqual(len(Deflater._used), 0)
        self.compress().send(b"a NOOP\r\n")
        self.assertEqual(len(Deflater._used), 1)
        self.clients[""].transport.drop()
        self.assertEqual(len(Deflater._used), 0)


class InflaterTests(DialogueTestCase):
    def test_pieces(self) -> None:
        data = random.Random(2).randbytes(1000) * 200
        stream: Any = zlib.compressobj(6, zlib.DEFLATED, -15)
        octets = stream.compress(data) + stream.flush(zlib.Z_SYNC_FLUSH)
        for step in (1, 7, 1000, len(octets)):
            inflater = Inflater()
            restored = []
            for at in range(0, len(octets), step):
                inflater.receive(octets[at : at + step])
                while piece := inflater.restore():
                    self.assertLessEqual(len(piece), PIECE)
                    restored.append(piece)
            self.assertEqual((b"".join(restored), inflater.pending), (data, 0))

    def test_a_piece_takes_little_time(self) -> None:
        stream: Any = zlib.compressobj(9, zlib.DEFLATED, -15)
        inflater = Inflater()
        inflater.receive(stream.compress(bytes(50 << 20)) + stream.flush(zlib.Z_SYNC_FLUSH))
        took = []
        for _ in range(100):
            before = time.thread_time()
            inflater.restore()
            took.append(time.thread_time() - before)
        self.assertLess(sorted(took)[50], 0.002)

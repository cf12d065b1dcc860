"""One type for a message's octets: small ones in memory, large ones in a file."""

from __future__ import annotations

import copy
import email
import hashlib
import io
import os
import pickle
import sys
import threading
import time
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.content import CHUNK, Content, chunks, unwrapped
from mailproto.model import NewMessage

MESSAGE = b"From: bob@example.org\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n\r\nText.\r\n"


class ContentCase(SynchronousTestCase):
    def each_kind(self, octets: bytes) -> list[Content]:
        """The same octets: in memory, in a file, and partly in each."""
        path = self.mktemp()
        Path(path).write_bytes(octets)
        middle = self.mktemp()
        Path(middle).write_bytes(octets[5:])
        later = self.mktemp()
        Path(later).write_bytes(b"1234" + octets + b"5")
        descriptor = os.open(path, os.O_RDONLY)
        return [
            Content(octets),
            Content.of_file(path, len(octets)),
            Content.of_file("", len(octets), descriptor=descriptor),
            Content.of_file(middle, len(octets[5:]), prefix=octets[:5]),
            Content.of_file(later, len(octets), start=4),
        ]


class ReadingTests(ContentCase):
    def test_all_kinds_read_the_same(self) -> None:
        for content in self.each_kind(MESSAGE):
            self.assertIs(type(content), Content)
            self.assertEqual((len(content), bytes(content)), (len(MESSAGE), MESSAGE))
            for key in (slice(None), slice(2, 9), slice(-6, None), slice(9, 2), slice(0, 1000)):
                self.assertEqual(content[key], MESSAGE[key])
            self.assertEqual((content[0], content[-1], content[7]), (MESSAGE[0], MESSAGE[-1], MESSAGE[7]))
            self.assertIn(b"Subject", content)
            self.assertIn(b"", content)
            self.assertNotIn(b"subject", content)
            self.assertEqual(content.find(b"org\r\n"), MESSAGE.find(b"org\r\n"))
            self.assertEqual(content.find(b"From", 1), -1)
            self.assertEqual(content.count(b"\n", 3), MESSAGE.count(b"\n", 3))
            self.assertEqual(b"".join(content.chunks(3, 20)), MESSAGE[3:20])
            self.assertEqual(content, MESSAGE)
            self.assertEqual(content, Content(MESSAGE))
            self.assertNotEqual(content, MESSAGE + b"x")
            self.assertNotEqual(content, MESSAGE[:-1] + b"x")
            self.assertNotEqual(content, "text")
            self.assertRaises(IndexError, lambda content=content: content[len(MESSAGE)])

    def test_a_file_for_parsers(self) -> None:
        for content in self.each_kind(MESSAGE):
            with content.open() as file:
                self.assertEqual(list(file), MESSAGE.splitlines(keepends=True))
                file.seek(-7, io.SEEK_END)
                self.assertEqual(file.read(), b"Text.\r\n")
                file.seek(6)
                self.assertEqual(file.read(3), b"bob")
                self.assertEqual(file.tell(), 9)
                self.assertRaises(ValueError, file.seek, -1)
                self.assertRaises(io.UnsupportedOperation, file.write, b"x")

    def test_parsed(self) -> None:
        for content in self.each_kind(MESSAGE):
            message = content.message()
            self.assertEqual((message["Subject"], message.get_content()), ("café", "Text.\n"))
        self.assertEqual(Content(b"\xff\x00 no: header").message().get_content_type(), "text/plain")

    def test_large_ones_are_read_in_pieces(self) -> None:
        octets = os.urandom(CHUNK * 2 + 7)
        for content in self.each_kind(octets):
            self.assertEqual([len(piece) for piece in content.chunks()], [CHUNK, CHUNK, 7])
            between = octets[CHUNK - 2 : CHUNK + 2]
            self.assertEqual(content.find(between), octets.find(between))
            self.assertEqual(content, octets)

    @given(st.binary(max_size=40), st.binary(max_size=3), st.integers(-50, 50), st.integers(-50, 50))
    def test_as_bytes_do(self, octets: bytes, sub: bytes, start: int, stop: int) -> None:
        for content in self.each_kind(octets):
            self.assertEqual(content[start:stop], octets[start:stop])
            self.assertEqual(sub in content, sub in octets)
            self.assertEqual(content == sub, octets == sub)

    def test_octets_before_it(self) -> None:
        for content in self.each_kind(MESSAGE):
            self.assertEqual(content.prepend(b"A: b\r\n"), b"A: b\r\n" + MESSAGE)
            self.assertEqual(content, MESSAGE)

    def test_faster_when_in_memory(self) -> None:
        in_memory, in_file, *_ = self.each_kind(MESSAGE)
        self.assertIs(unwrapped(in_memory), MESSAGE)
        self.assertIs(unwrapped(in_file), in_file)
        self.assertEqual(unwrapped(None), b"")
        for octets in (MESSAGE, in_memory, in_file):
            self.assertEqual(b"".join(chunks(octets, 2, 9)), MESSAGE[2:9])
        in_memory.close()
        with self.assertRaises(ValueError):
            unwrapped(in_memory)


class WrongUseTests(ContentCase):
    """What works with small content works with large; what does not says what to write, for both."""

    def test_methods_of_bytes(self) -> None:
        for content in self.each_kind(MESSAGE):
            for wrong, instead in (
                (lambda content=content: content.decode(), r"bytes\(content\)\.decode\(\)"),
                (lambda content=content: content.split(b"\r\n"), r"bytes\(content\)\.split\(\)"),
                (lambda content=content: content.startswith(b"F"), r"bytes\(content\)\.startswith\(\)"),
                (lambda content=content: email.message_from_bytes(content), r"bytes\(content\)\.decode\(\)"),
            ):
                with self.assertRaisesRegex(AttributeError, instead):
                    wrong()
            with self.assertRaisesRegex(AttributeError, "no attribute 'subject'"):
                content.subject  # noqa: B018
            with self.assertRaisesRegex(AttributeError, r"content\.open\(\)\.read\(\)"):
                content.read()
            with self.assertRaisesRegex(TypeError, r"content\.message\(\)\['Subject'\]"):
                content["Subject"]

    def test_buffers(self) -> None:
        for content in self.each_kind(MESSAGE):
            for wrong in (io.BytesIO, hashlib.sha256, io.BytesIO().write, memoryview):
                error = self.assertRaises(TypeError, wrong, content)
                if sys.version_info >= (3, 12):  # an earlier Python asks no class of ours
                    self.assertIn("bytes(content)", str(error))

    def test_lines_and_strings(self) -> None:
        for content in self.each_kind(MESSAGE):
            with self.assertRaisesRegex(TypeError, r"content\.chunks\(\)"):
                list(content)
            with self.assertRaisesRegex(TypeError, "must be bytes, not str"):
                "text" in content  # noqa: B015
            with self.assertRaisesRegex(ValueError, "forwards"):
                content[::-1]

    def test_nothing_can_be_read_when_it_is_closed(self) -> None:
        for content in self.each_kind(MESSAGE):
            file = content.open()
            content.close()
            for wrong in (
                bytes,
                len,
                hash_of,
                Content.open,
                Content.message,
                lambda content: content[:1],
                lambda content: b"x" in content,
                lambda content: list(content.chunks()),
                lambda _, file=file: file.read(),
                lambda content: content.prepend(b"x"),
                lambda content: content == b"x",
            ):
                with self.assertRaisesRegex(ValueError, r"keep bytes\(content\)"):
                    wrong(content)
            self.assertEqual(repr(content), "<Content: closed>")
            content.close()

    def test_nor_by_what_has_begun_to_read(self) -> None:
        octets = bytes(3 * CHUNK)
        for content in self.each_kind(octets):
            pieces = content.chunks()
            next(pieces)
            content.close()
            with self.assertRaisesRegex(ValueError, r"keep bytes\(content\)"):
                next(pieces)

    def test_threads_that_still_read_it_never_read_another_file(self) -> None:
        """The descriptor's number is soon used again, for another client's message perhaps."""
        octets, others = b"x" * (4 * CHUNK), b"y" * (4 * CHUNK)
        strange: list[object] = []

        def read(content: Content) -> None:
            try:
                while True:
                    if content[:] != octets:
                        strange.append("octets of another file")
            except ValueError:  # it is closed
                pass
            except Exception as error:
                strange.append(error)

        path, other_path = self.mktemp(), self.mktemp()
        Path(path).write_bytes(octets)
        Path(other_path).write_bytes(others)
        for _ in range(50):
            content = Content.of_file("", len(octets), descriptor=os.open(path, os.O_RDONLY))
            threads = [threading.Thread(target=read, args=(content,)) for _ in range(2)]
            for thread in threads:
                thread.start()
            time.sleep(0.001)
            content.close()
            reused = [os.open(other_path, os.O_RDONLY) for _ in threads]
            for thread in threads:
                thread.join()
            for descriptor in reused:
                os.close(descriptor)
        self.assertEqual(strange, [])

    def test_threads_that_open_the_file_together(self) -> None:
        octets = b"x" * (4 * CHUNK)
        path = self.mktemp()
        Path(path).write_bytes(octets)
        strange: list[Exception] = []

        def read(content: Content, together: threading.Barrier) -> None:
            together.wait()
            try:
                bytes(content)
            except Exception as error:
                strange.append(error)

        for _ in range(50):
            content, together = Content.of_file(path, len(octets)), threading.Barrier(4)
            threads = [threading.Thread(target=read, args=(content, together)) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        self.assertEqual(strange, [])

    def test_it_cannot_be_copied(self) -> None:
        """Another process has another file of that number, and two copies would both close it."""
        for content in self.each_kind(MESSAGE):
            for wrong in (copy.copy, copy.deepcopy, pickle.dumps):
                with self.assertRaisesRegex(TypeError, r"write bytes\(content\)"):
                    wrong(content)
            self.assertEqual(content, MESSAGE)

    def test_what_is_made_of_it_can_still_be_read(self) -> None:
        for content in self.each_kind(MESSAGE):
            other = content.prepend(b"A: b\r\n")
            content.close()
            self.assertEqual(other, b"A: b\r\n" + MESSAGE)

    def test_made_of_what_is_at_hand(self) -> None:
        for octets in (MESSAGE, bytearray(MESSAGE), memoryview(MESSAGE), Content(MESSAGE)):
            self.assertEqual(Content.of(octets), MESSAGE)
            self.assertEqual(NewMessage(octets).content, MESSAGE)  # type: ignore[arg-type]
        for wrong, instead in (
            ("text", r"text\.encode\(\)"),
            (email.message_from_string("A: b"), r"content\.as_bytes\(\)"),
            (None, "not NoneType"),
            (io.BytesIO(), "not BytesIO"),
        ):
            with self.assertRaisesRegex(TypeError, instead):
                Content.of(wrong)  # type: ignore[arg-type]

    def test_a_file_that_is_gone(self) -> None:
        gone, short = Content.of_file(self.mktemp(), 10), Content.of_file(path := self.mktemp(), 10)
        Path(path).write_bytes(b"12345")
        self.assertEqual(short[:5], b"12345")
        for content in (gone, short):
            self.assertRaises(OSError, bytes, content)
            self.assertRaises(OSError, content.message)

    def test_descriptors_are_closed(self) -> None:
        before = len(os.listdir("/proc/self/fd"))
        contents = self.each_kind(MESSAGE)
        for content in contents:
            content.prepend(b"x")[:]
        del contents, content
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)


def hash_of(content: Content) -> None:
    """Reads it all."""
    hashlib.sha256(bytes(content))

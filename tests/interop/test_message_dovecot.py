"""What `mailproto.message` says of messages, field by field, beside what Dovecot says.

Dovecot's ``imap`` program serves one mailbox over its standard input and output, so it
needs no port and no daemon.  What differs on purpose is not among the messages here:
``message/global`` (shown with its envelope, RFC 9051), ``;;`` between parameters (read
on), white space and quoted words in local parts (RFC 5322 4.4), RFC 2231 names without
a number after one with a number (Dovecot's number is left over), a Content-Type that is
none (plain text, RFC 2045 5.2), white space and comments in Message-ID and In-Reply-To (no
part of an id, RFC 5322 3.6.4), a subset of a header that has no empty line (none is
added, RFC 9051 6.4.5.1), and messages whose header section ends with a line of text (for
Dovecot it goes on to the next empty line).
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
import shutil
import subprocess
import tempfile
from itertools import islice
from pathlib import Path
from typing import IO, Any

from twisted.trial.unittest import SkipTest, TestCase

from mailproto.message import Index, Section, binary, body, header_section, section, summarise

PROGRAM = "/usr/lib/dovecot/imap"
NOBODY = 65534

_literal_end = re.compile(rb"\{(\d+)\}\r\n$")
_value = re.compile(rb'"((?:[^"\\]|\\.)*+)"|~?\{(\d+)\}\r\n|(\()|(\))|([^ ()"{]+)| ', re.DOTALL)
_item = re.compile(rb"([A-Z0-9]+(?:\.[A-Z0-9]+)*(?:\[[^\]]*\])?) ")


class Refused(Exception):
    """Dovecot's answer to a command is NO or BAD."""


class Dovecot:
    """One mailbox in a fresh folder, as one pre-authenticated session sees it."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mailproto-dovecot-"))
        config = self.folder / "dovecot.conf"
        config.write_text(
            f"log_path = {self.folder}/log\nmail_location = maildir:{self.folder}/mail\nssl = no\n"
        )
        options: dict[str, Any] = {}
        if os.geteuid() == 0:  # Dovecot gives root no mail
            options = {"user": NOBODY, "group": NOBODY, "extra_groups": []}
            os.chown(self.folder, NOBODY, NOBODY)
        self.process = subprocess.Popen(
            [PROGRAM, "-c", str(config)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"HOME": str(self.folder), "USER": "nobody"},
            **options,
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.input: IO[bytes] = self.process.stdin
        self.output: IO[bytes] = self.process.stdout
        if not self.response().startswith(b"* PREAUTH"):
            self.close()
            raise SkipTest("Dovecot's imap program does not start here")
        self.command(b"SELECT INBOX")

    def close(self) -> None:
        self.input.close()
        self.output.close()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def response(self) -> bytes:
        """One response, the octets of its literals included."""
        whole = b""
        while True:
            line = self.output.readline()
            whole += line
            if not (literal := _literal_end.search(line)):
                return whole[:-2]
            whole += self.output.read(int(literal[1]))

    def command(self, line: bytes) -> list[bytes]:
        """The untagged responses to a command that must succeed."""
        self.input.write(b"a " + line + b"\r\n")
        self.input.flush()
        responses = []
        while not (response := self.response()).startswith(b"a "):
            responses.append(response)
        if not response.startswith(b"a OK"):
            raise Refused(line[:200], response)
        return responses

    def append(self, message: bytes) -> None:
        self.command(b"APPEND INBOX {%d+}\r\n%b" % (len(message), message))

    def fetch(self, number: int, items: list[bytes]) -> dict[bytes, object]:
        for response in self.command(b"FETCH %d (%b)" % (number, b" ".join(items))):
            if response.startswith(b"* %d FETCH (" % number) and b"FETCH (FLAGS" not in response[:30]:
                return dict(read_items(response[response.index(b"(") + 1 :]))
        raise AssertionError(items)


def read_items(response: bytes) -> list[tuple[bytes, object]]:
    items, at = [], 0
    while match := _item.match(response, at):
        value, at = read_value(response, match.end())
        items.append((match[1], value))
        at += 1
    return items


def read_value(octets: bytes, at: int = 0) -> tuple[object, int]:
    """One value (bytes, None for NIL, str for a number, a list) and the offset after it."""
    lists: list[list[object]] = []
    while True:
        match = _value.match(octets, at)
        assert match is not None, octets[at : at + 50]
        at = match.end()
        value: object
        if match[3]:
            lists.append([])
            continue
        if match[0] == b" ":
            continue
        if match[4]:
            value = lists.pop()
        elif match[1] is not None:
            value = re.sub(rb"\\(.)", rb"\1", match[1])
        elif match[2]:
            value, at = octets[at : at + int(match[2])], at + int(match[2])
        else:
            value = None if match[5] == b"NIL" else match[5].decode()
        if not lists:
            return value, at
        lists[-1].append(value)


ADDRESSES = [
    b"a@b", b"<a@b>", b"Joe Q. Public <a@b>", b'"a, b" <c@d>', b"a@b (c (d) e)", b"(c) a@b",
    b"g: a@b, <c@d>;, e@f", b"g:;", b"Undisclosed recipients:;", b"a@[192.0.2.1]", b"a@[1\r\n .2]",
    b"<@a,@b:c@d>", b"n <>",
    b"user", b'"user"', b"a b c", b"a b <c@d", b"a@b c@d, e@f", b"a@b,,c@d,", b",a@b", b"a@, b@c", b"@b",
    b"<@b>", b"a..b@c", b".a@b", b"a@b.", b"a@b..c", b"<a b@c>", b"g: a b;,x@y", b"=?utf-8?q?a?= <a@b>",
    b"\xc3\xa9 <\xc3\xa9@\xc3\xa9>", b'"a\\"b" <c@d>', b'"unclosed <a@b>', b"(unclosed <a@b>",
    b"a\r\n b <c@d>", b"<<a@b>>", b"a@b; c@d", b'""@b', b"a@b . c", b"", b"a@b (c (d) e", b"<@:a@b>",
]  # fmt: skip

TYPES = [
    b"text/plain", b"TEXT/HTML; CharSet=utf-8", b'image/gif; name="a \\"b\\" c"',
    b"image/gif; name=a b; size=1",
    b"image/gif; name==?utf-8?b?eA==?= ; a=b", b"image/gif (c); (d) name=(e) x (f)",
    b"image/gif; n*1=b; n*0=a; z=y", b"image/gif; n*0*=utf-8''%41; n*1=%", b"image/gif; n*0=a; n*2=b",
    b"image/gif; name=", b'image/gif; name="x', b"image/gif;name=\xe9", b"application/x.y+z",
    b"image / gif ; a = b", b"message/partial; id=1; number=1", b"multipart/mixed",
]  # fmt: skip

PIECES = [
    b"\r\n", b"\r\n", b"\r\n", b"\r\n\r\n", b"--b\r\n", b"--b\r\n", b"--bb\r\n", b"--b--\r\n", b"--bb--\r\n",
    b"--c\r\n", b"--c--", b"--", b"-", b"text\r\n", b"Subject: s\r\n",
    b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
    b"Content-Type: multipart/alternative; boundary=bb\r\n\r\n",
    b"Content-Type: multipart/digest; boundary=c\r\n\r\n", b"Content-Type: message/rfc822\r\n\r\n",
    b"Content-Type: text/html\r\n\r\n", b"Content-Type: image/png\r\n\r\n", b"MIME-Version: 1.0\r\n",
    b"Content-ID: <x>\r\n", b"foo", b" ", b"\t", b"From: a@b\r\n", b"--b \r\n", b"--b--x\r\n",
]  # fmt: skip


def email_package_messages() -> list[bytes]:
    """The messages of the standard library's own tests, where they are installed."""
    if importlib.util.find_spec("test.test_email") is None:
        return []
    folder = Path(str(importlib.util.find_spec("test.test_email").origin)).parent / "data"  # type: ignore[union-attr]
    messages = [re.sub(rb"\r?\n", b"\r\n", name.read_bytes()) for name in sorted(folder.glob("msg_*.txt"))]
    return [each for each in messages if is_read_alike(each) and b"\r\nContent-Type: text; " not in each]


def is_read_alike(message: bytes) -> bool:
    """Whether no line of text ends the header section."""
    return message[header_section(message).end :][:2] in (b"", b"\r\n")


def random_messages(count: int) -> list[bytes]:
    chance = random.Random(2026)
    first = [
        b"Content-Type: multipart/mixed; boundary=b\r\n\r\n",
        b"Content-Type: message/rfc822\r\n\r\n",
        b"",
    ]
    made = (
        chance.choice(first) + b"".join(chance.choice(PIECES) for _ in range(chance.randint(1, 25)))
        for _ in iter(int, 1)
    )
    return list(islice(filter(is_read_alike, made), count))


class DovecotTests(TestCase):
    def setUp(self) -> None:
        if not os.access(PROGRAM, os.X_OK):
            raise SkipTest(f"needs {PROGRAM}: install the Debian package dovecot-imapd")
        self.dovecot = Dovecot()
        self.addCleanup(self.dovecot.close)

    def compare(self, messages: list[bytes], *, sections: bool = False) -> None:
        for number, message in enumerate(messages, 1):
            self.dovecot.append(message)
            envelope, body_structure, stored = summarise(message)
            index = Index.load(stored)
            theirs = self.dovecot.fetch(number, [b"ENVELOPE", b"BODY", b"BODYSTRUCTURE", b"RFC822.SIZE"])
            self.assertEqual(read_value(envelope)[0], theirs[b"ENVELOPE"], message)
            self.assertEqual(read_value(body_structure)[0], theirs[b"BODYSTRUCTURE"], message)
            self.assertEqual(read_value(body(message, index))[0], theirs[b"BODY"], message)
            self.assertEqual(str(len(message)), theirs[b"RFC822.SIZE"])
            if sections:
                self.compare_sections(number, message, index)

    def compare_sections(self, number: int, message: bytes, index: Index) -> None:
        names = (b"SUBJECT", b"FROM", b"CONTENT-TYPE")
        ours: dict[bytes, object] = {}
        for path in [(), (1,), (2,), (3,), (1, 1), (1, 2), (2, 1), (2, 2), (2, 1, 1)]:
            if (part := index.find(path)) is None:
                continue  # where there is no part, Dovecot has something to say in some cases
            for text in ("", "HEADER", "TEXT", "MIME", "HEADER.FIELDS", "HEADER.FIELDS.NOT"):
                if "FIELDS" in text and not message[: part.body].endswith(b"\n\r\n"):
                    continue
                found = section(message, index, Section(path, text, names if "FIELDS" in text else ()))
                if found is None:
                    continue
                name = ".".join([*map(str, path), *([text] if text else [])]).encode()
                if "FIELDS" in text:
                    name += b" (" + b" ".join(names) + b")"
                ours[b"BODY[%b]" % name] = bytes(found)
            if path and not part.children and message[part.body : part.end]:
                self.compare_binary(number, message, index, path)
        theirs = self.dovecot.fetch(number, [name.replace(b"BODY[", b"BODY.PEEK[") for name in ours])
        for name, value in ours.items():
            self.assertEqual(value, theirs.get(name), (name, message))

    def compare_binary(self, number: int, message: bytes, index: Index, path: tuple[int, ...]) -> None:
        name = b"BINARY[%b]" % b".".join(b"%d" % n for n in path)
        try:
            theirs = self.dovecot.fetch(number, [name.replace(b"[", b".PEEK[")])
        except Refused:
            return  # what is encoded badly: Dovecot refuses it, here damage is skipped
        self.assertEqual(b"".join(binary(message, index, path) or ()), theirs[name], (name, message))

    def test_addresses(self) -> None:
        self.compare([b"From: x@y\r\nTo: " + value + b"\r\n\r\nbody\r\n" for value in ADDRESSES])

    def test_content_types(self) -> None:
        self.compare([b"Content-Type: " + value + b"\r\n\r\nbody\r\n" for value in TYPES])

    def test_repeated_fields(self) -> None:
        self.compare(
            [
                b"MIME-Version: 1.0\r\n%b: %b\r\n%b: z; b=c\r\n%b: y\r\n\r\nbody\r\n"
                % (name, value, name, name)
                for name in (b"Content-Disposition", b"Content-Transfer-Encoding", b"Content-Language")
                for value in (b"", b"x", b"x; a=b", b"x y", b"(x)", b'"x"', b"x, y")
            ]
        )

    def test_messages_of_the_email_package(self) -> None:
        self.compare(email_package_messages(), sections=True)

    def test_boundaries_at_random(self) -> None:
        self.compare(random_messages(300))

    def test_sections_at_random(self) -> None:
        self.compare(random_messages(80), sections=True)

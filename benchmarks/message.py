"""What reading a message costs: ``python benchmarks/message.py``.  The best of five, CPU time.

The rows with the email package do what a server without `mailproto.message` would do: parse,
and read what ENVELOPE and BODYSTRUCTURE are made of.  Messages differ from each other, so
that nothing is remembered of them but what mail repeats.
"""

from __future__ import annotations

import base64
import email
import email.policy
import itertools
import resource
import tempfile
from collections.abc import Callable, Iterable
from email.message import Message
from email.utils import getaddresses
from time import process_time

from mailproto.content import FileContent
from mailproto.message import Index, Searchable, Section, body, casemap, scan, section, summarise

HEADERS = ("date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id")
ADDRESSES = HEADERS[2:8]


def example(number: int, attachment: int = 900) -> bytes:
    """A message of three parts, 5 KB with an attachment of 900 octets."""
    boundary = b"=-boundary-%08d" % number
    encoded = base64.encodebytes(bytes(range(256)) * (attachment // 256 + 1))[: attachment * 4 // 3]
    return b"".join(
        [
            b"Return-Path: <sender%d@example.net>\r\n" % number,
            b"Received: from mail.example.net (mail.example.net [192.0.2.%d])\r\n" % (number % 256),
            b"\tby mx.example.org with ESMTPS id %08x\r\n" % number,
            b"\tfor <alice@example.org>; Mon, 23 Nov 2026 21:00:00 +0000\r\n",
            b"DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=example.net; s=x;\r\n",
            b" h=from:to:subject:date; bh=%b;\r\n b=%b\r\n" % (b"a" * 44, b"b" * 60 + b"\r\n " + b"b" * 60),
            b"From: Sender %d <sender%d@example.net>\r\n" % (number, number),
            b'To: "Example, Alice" <alice@example.org>, bob%d@example.org\r\n' % number,
            b"Subject: Re: report number %d\r\n" % number,
            b"Date: Mon, 23 Nov 2026 20:59:%02d +0000\r\n" % (number % 60),
            b"Message-ID: <%d.report@example.net>\r\n" % number,
            b"In-Reply-To: <%d.question@example.org>\r\n" % number,
            b"References: <%d.first@example.org>\r\n <%d.question@example.org>\r\n" % (number, number),
            b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="%b"\r\n\r\n' % boundary,
            b"--%b\r\nContent-Type: text/plain; charset=utf-8\r\n" % boundary,
            b"Content-Transfer-Encoding: 8bit\r\n\r\n",
            b"Good morning, here is the report.\r\n" * 30,
            b"\r\n--%b\r\nContent-Type: text/html; charset=utf-8\r\n" % boundary,
            b"Content-Transfer-Encoding: quoted-printable\r\n\r\n",
            b"<p>Good morning, here is the report.</p>\r\n" * 25,
            b'\r\n--%b\r\nContent-Type: application/pdf; name="report%d.pdf"\r\n' % (boundary, number),
            b'Content-Disposition: attachment; filename="report%d.pdf"\r\n' % number,
            b"Content-Transfer-Encoding: base64\r\n\r\n%b\r\n" % encoded.replace(b"\n", b"\r\n"),
            b"--%b--\r\n" % boundary,
        ]
    )


MESSAGES = [example(number) for number in range(500)]
LARGE = example(1, 18_500_000)
NESTED = b"".join(
    b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number)
    for number in range(10_000)
)
LONG_LINE = b"Subject: " + b"x" * 1_000_000 + b"\r\n\r\n"
FIELDS = b"X-Field: y\r\n" * 1_000_000 + b"\r\n"
MANY = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * 10_000


def read_with_email(message: Message) -> None:
    """Read what ENVELOPE and BODYSTRUCTURE show."""
    for name in ADDRESSES:
        getaddresses([str(value) for value in message.get_all(name, [])])
    for name in HEADERS:
        message[name]
    for part in message.walk():
        part.get_content_type(), part.get_params(), part.get_content_disposition()
        (
            part["content-id"],
            part["content-description"],
            part["content-transfer-encoding"],
            part["content-language"],
        )
        if not part.is_multipart():
            payload = part.get_payload()
            len(payload), payload.count("\n")


def with_email(octets: bytes) -> None:
    read_with_email(email.message_from_bytes(octets))


def with_email_default_policy(octets: bytes) -> None:
    read_with_email(email.message_from_bytes(octets, policy=email.policy.default))


def each(messages: Iterable[bytes], work: Callable[[bytes], object]) -> Callable[[], object]:
    """``work`` on the next of ``messages`` at each call."""
    following = itertools.cycle(messages)
    return lambda: work(next(following))


def report(name: str, work: Callable[[], object], times: int, size: int) -> None:
    """Print the microseconds that one ``work`` takes, and what that is for ``size`` octets."""
    best = float("inf")
    for _ in range(5):
        began = process_time()
        for _ in range(times):
            work()
        best = min(best, process_time() - began)
    print(f"{name:52} {best / times * 1e6:12,.1f} us {size * times / best / 1e6:10,.1f} MB/s")


def main() -> None:
    """Print a table."""
    size = len(MESSAGES[0])
    stored = [(octets, Index.load(summarise(octets).index)) for octets in MESSAGES]
    pairs = itertools.cycle(stored)
    subject = Section((), "HEADER.FIELDS", (b"Subject", b"From"))
    key = casemap("absent")

    report(f"{size:,} octets in 3 parts: summarise", each(MESSAGES, summarise), 2000, size)
    report("  the same by the email package", each(MESSAGES, with_email), 200, size)
    report("  the same, policy.default", each(MESSAGES, with_email_default_policy), 100, size)
    report("  scan", each(MESSAGES, scan), 2000, size)
    report("  BODY from a stored index", lambda: body(*next(pairs)), 2000, size)
    report(
        "  BODY[2] from a stored index",
        lambda: bytes(section(*next(pairs), Section((2,))) or b""),
        2000,
        size,
    )
    report("  BODY[HEADER.FIELDS (..)]", lambda: bytes(section(*next(pairs), subject) or b""), 2000, size)
    report("  SEARCH TEXT", lambda: Searchable(*next(pairs)).in_text(key), 500, size)
    report(f"{len(LARGE):,} octets, an attachment: summarise", lambda: summarise(LARGE), 3, len(LARGE))
    report("  the same by the email package", lambda: with_email(LARGE), 1, len(LARGE))
    for name, octets in (
        ("10,000 nested boundaries", NESTED),
        ("a header line of 1 MB", LONG_LINE),
        ("a million header fields", FIELDS),
        ("10,000 parts", MANY),
    ):
        report(f"{name}: summarise", lambda octets=octets: summarise(octets), 1, len(octets))  # type: ignore[misc]

    with tempfile.NamedTemporaryFile() as file:
        for _ in range(3):
            file.write(LARGE)
        file.flush()
        content = FileContent(file.name, 2 * len(LARGE))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report("a file of twice that: summarise", lambda: summarise(content), 3, len(content))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"  by which the process grew {grown:,} KB")


if __name__ == "__main__":
    main()

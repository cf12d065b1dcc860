"""What reading a message costs: CPU time, the best of some rounds.

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
from email.message import EmailMessage
from email.message import Message as ParsedMessage
from email.utils import getaddresses

from _parts.program import Options, Table, cpu_seconds_of, expect, run

from mailproto.content import Content
from mailproto.message import Index, Message, Searchable, Section, body, casemap, scan, section, summarise

HEADERS = ("date", "subject", "from", "sender", "reply-to", "to", "cc", "bcc", "in-reply-to", "message-id")
ADDRESSES = HEADERS[2:8]


def example(number: int, attachment: int = 900) -> bytes:
    """A message of three parts, 5 KB with an attachment of 900 octets."""
    boundary = b"=-boundary-%08d" % number
    encoded = base64.encodebytes((bytes(range(256)) * (attachment // 256 + 1))[:attachment])
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


def read_with_email(message: ParsedMessage) -> None:
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
            assert isinstance(payload, str)
            len(payload), payload.count("\n")


def with_email(octets: bytes) -> None:
    read_with_email(email.message_from_bytes(octets))


def with_email_default_policy(octets: bytes) -> None:
    read_with_email(email.message_from_bytes(octets, policy=email.policy.default))


def as_application(octets: bytes) -> list[object]:
    """Read what most applications want, and the attachments."""
    message = Message(octets)
    files = [(file.name, file.media_type, file.open().read()) for file in message.attachments]
    people = [[each.address for each in found] for found in (message.from_, message.to, message.cc)]
    return [message.subject, message.date, *people, message.text, message.html, files, message.message_id]


def as_application_with_email(octets: bytes) -> list[object]:
    """The same by the email package."""
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    texts: list[object] = []
    for kind in ("plain", "html"):
        found = message.get_body((kind,))
        texts.append("" if found is None else found.get_content().replace("\r\n", "\n"))
    parts = list(message.iter_attachments())
    files = [(part.get_filename(), part.get_content_type(), part.get_content()) for part in parts]
    people = [
        [each.addr_spec for each in message[name].addresses] if message[name] else []
        for name in ("from", "to", "cc")
    ]
    date = message["date"].datetime
    return [message["subject"], date, *people, *texts, files, message["message-id"].strip("<>")]


def each(messages: Iterable[bytes], work: Callable[[bytes], object]) -> Callable[[], object]:
    """``work`` on the next of ``messages`` at each call."""
    following = itertools.cycle(messages)
    return lambda: work(next(following))


def check(octets: bytes, number: int) -> None:
    """Fail unless a message of `example` is read as the email package reads it."""
    summary = summarise(octets)
    index = Index.load(summary.index)
    parsed = email.message_from_bytes(octets)
    expect("parts", len(index.root.children), 3)
    for at, part in enumerate(parsed.get_payload(), start=1):
        assert isinstance(part, ParsedMessage)
        found = section(octets, index, Section((at,))) or b""
        expect(f"part {at}", bytes(found).decode(), str(part.get_payload()))
        kind = f'("{part.get_content_maintype().upper()}" "{part.get_content_subtype().upper()}"'
        expect(f"{kind} in BODYSTRUCTURE", kind.encode() in summary.body_structure.upper(), True)
    expect("BODY begins as BODYSTRUCTURE does", body(octets, index)[:20], summary.body_structure[:20])
    for name in ("subject", "message-id", "in-reply-to"):
        expect(f"{name} in ENVELOPE", b'"%b"' % parsed[name].encode() in summary.envelope, True)
    expect("TEXT with a word", Searchable(octets, index).in_text(casemap(f"report number {number}")), True)
    expect("an application", as_application(octets), as_application_with_email(octets))
    expect("TEXT without", Searchable(octets, index).in_text(casemap("absent")), False)


def main() -> None:
    """Print tables."""
    options = Options(__doc__)
    options.add_number("rounds", 5, quick=1, help="how often each is measured")
    given = options.parse()
    messages = [example(number) for number in range(20 if given.quick else 500)]
    large = example(1, 1_000_000 if given.quick else 18_500_000)
    for number, octets in enumerate(messages[:20]):
        check(octets, number)
    check(large, 1)
    size = len(messages[0])
    stored = [(octets, Index.load(summarise(octets).index)) for octets in messages]
    pairs = itertools.cycle(stored)
    subject = Section((), "HEADER.FIELDS", (b"Subject", b"From"))
    key = casemap("absent")
    table = Table("", "CPU us", "MB/s")

    def report(name: str, work: Callable[[], object], times: int, size: int) -> None:
        times = max(times // 20, 1) if given.quick else times
        seconds = cpu_seconds_of(work, times, given.rounds)
        table.row(name, f"{seconds * 1e6:,.1f}", f"{size / seconds / 1e6:,.1f}")

    report(f"{size:,} octets in 3 parts: summarise", each(messages, summarise), 2000, size)
    report("  the same by the email package", each(messages, with_email), 200, size)
    report("  the same, policy.default", each(messages, with_email_default_policy), 100, size)
    report("  scan", each(messages, scan), 2000, size)
    report("  BODY from a stored index", lambda: body(*next(pairs)), 2000, size)
    report("  BODY[2] from a stored index", lambda: part_of(*next(pairs), Section((2,))), 2000, size)
    report("  BODY[HEADER.FIELDS (..)]", lambda: part_of(*next(pairs), subject), 2000, size)
    report("  SEARCH TEXT", lambda: Searchable(*next(pairs)).in_text(key), 500, size)
    report("  read by an application", each(messages, as_application), 500, size)
    report("  the same by the email package", each(messages, as_application_with_email), 50, size)
    report(f"{len(large):,} octets, an attachment: summarise", lambda: summarise(large), 3, len(large))
    report("  the same by the email package", lambda: with_email(large), 1, len(large))
    report("  read by an application", each([large], as_application), 3, len(large))
    report("  the same by the email package", each([large], as_application_with_email), 1, len(large))
    for name, octets in extremes(10 if given.quick else 1).items():
        report(f"{name}: summarise", each([octets], summarise), 1, len(octets))
        report("  read by an application", each([octets], as_application), 1, len(octets))

    with tempfile.NamedTemporaryFile() as file:
        for _ in range(3):
            file.write(large)
        file.flush()
        content = Content.of_file(file.name, 2 * len(large))
        expect("a file, summarised", summarise(content), summarise((large * 2)[: len(content)]))
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        report("a file of twice that: summarise", lambda: summarise(content), 3, len(content))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
        print(f"  by which the process grew {grown:,} KB")


def part_of(octets: bytes, index: Index, wanted: Section) -> bytes:
    """The octets of a section."""
    return bytes(section(octets, index, wanted) or b"")


def extremes(divisor: int) -> dict[str, bytes]:
    """What takes a bad parser longest, by name; each a ``divisor``-th of its size."""
    few, many = 10_000 // divisor, 1_000_000 // divisor
    nested = (
        b"Content-Type: multipart/mixed; boundary=b%d\r\n\r\n--b%d\r\n" % (number, number)
        for number in range(few)
    )
    parts = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + b"--b\r\n\r\nx\r\n" * few
    levels = b"".join(
        b"Content-Type: multipart/mixed; boundary=%d\r\n\r\n--%d\r\n" % (n, n) for n in range(98)
    )
    in_hz = b"Content-Type: text/plain; charset=hz\r\n\r\n"
    return {
        f"{few:,} nested boundaries": b"".join(nested),
        f"a header line of {many:,} octets": b"Subject: " + b"x" * many + b"\r\n\r\n",
        f"{many:,} header fields": b"X-Field: y\r\n" * many + b"\r\n",
        f"{few:,} parts": parts,
        f"{few:,} addresses of one letter": b"From: " + b"a," * few + b"\r\n\r\n",
        f"{few:,} lines like delimiters of 98 levels": levels + b"\n--97x" * few,
        f"{many:,} lines in HZ": in_hz + b"~{\n" * many,
    }


if __name__ == "__main__":
    run(main)

"""Fuzz `mailproto.message`.

For any octets: nothing raises, parts nest, what sections return joins up to the whole,
a stored index is the index, a file answers as its octets do, and what applications get is safe to
write elsewhere.
"""

from __future__ import annotations

import os
from datetime import UTC, datetime

from _parts.fuzzing import instrumented, run

with instrumented():
    from mailproto.content import Content
    from mailproto.message import (
        FILE_NAME_LIMIT,
        Index,
        Message,
        Part,
        Searchable,
        Section,
        UnknownEncoding,
        base_subject,
        binary,
        body,
        decode_header,
        display_name,
        encode_header,
        fold,
        header_fields,
        parse_addresses,
        preview,
        references,
        section,
        sent_date,
        summarise,
        top,
        utf8_form,
    )

ARRIVAL = datetime(2026, 1, 1, tzinfo=UTC)


def check_part(part: Part) -> None:
    """Fail unless the children lie in the part, in order."""
    assert part.header <= part.body <= part.end
    at = part.body
    for child in part.children:
        assert at <= child.header
        assert child.end <= part.end
        at = child.end
        check_part(child)


def check_sections(octets: bytes, index: Index) -> None:
    for path in ((), (1,), (2,), (1, 1), (2, 1)):
        whole = section(octets, index, Section(path))
        header = section(octets, index, Section(path, "HEADER"))
        text = section(octets, index, Section(path, "TEXT"))
        if header is not None and text is not None and whole is not None:
            assert not path or octets.find(bytes(header) + bytes(text)) >= 0
            assert path or bytes(header) + bytes(text) == bytes(whole)
        for pieces in (whole, header, text):
            if pieces is not None:
                assert b"".join(pieces.chunks(1, 7)) == bytes(pieces)[1:7]
        try:
            for _ in binary(octets, index, path) or ():
                pass
        except UnknownEncoding:
            pass


def check_texts(octets: bytes, index: Index) -> None:
    Searchable(octets, index).in_text("KEY")
    assert len(preview(octets, index)) <= 200
    for _, value, start, stop in header_fields(octets):
        assert value in octets[start:stop]
        decode_header(value)
        parse_addresses(value)
        display_name(value)
        base_subject(value)
        references(value, value)
        sent_date(value, ARRIVAL)
        assert fold(b"X", value).count(b"\n") == fold(b"X", value).count(b"\r\n")


def check_message(octets: bytes) -> None:
    """Fail unless what an application gets is Unicode without NUL, and on one line where it should be."""
    message = Message(octets, text_limit=10_000)
    assert message.date is None or message.date.tzinfo is not None
    addresses = [*message.from_, *message.to, *message.cc, *message.reply_to]
    lines = [message.subject, message.message_id, *message.fields("Subject")]
    lines += [text for found in addresses for text in (*found, str(found))]
    for attachment in message.attachments:
        assert len(attachment.open().read()) <= attachment.encoded_size
        assert not {*attachment.name} & {*"/\\"}
        assert len(attachment.name.encode()) <= FILE_NAME_LIMIT
        lines += (attachment.name, attachment.media_type, attachment.content_id)
    for line in lines:
        assert len(line.splitlines()) <= 1
    for text in (message.text, message.html, *lines):
        assert "\0" not in text
        assert "\r" not in text
        text.encode()
    text = octets.decode("utf-8", "replace")
    assert decode_header(encode_header(text)) == text


def check_file(octets: bytes, stored: bytes) -> None:
    descriptor = os.memfd_create("message")
    os.write(descriptor, octets)
    content = Content.of_file("", len(octets), descriptor=descriptor)
    try:
        assert summarise(content).index == stored
    finally:
        content.close()


def one_input(octets: bytes) -> None:
    """What the fuzzer calls."""
    envelope, body_structure, stored = summarise(octets)
    index = Index.load(stored)
    assert index.dump() == stored
    assert index.root.end == len(octets)
    check_part(index.root)
    for rendered in (envelope, body_structure, body(octets, index)):
        assert rendered.startswith(b"(")
        assert b"\0" not in rendered
        utf8_form(rendered)
    check_sections(octets, index)
    check_texts(octets, index)
    check_message(octets)
    top(octets, index, 3)
    check_file(octets, stored)


SEEDS = (
    b'From: Alice <alice@example.org>\r\nTo: a: b@c, "d" <e@f>;, (x) g@h\r\n'
    b"Subject: =?utf-8?q?caf=C3=A9?=\r\nDate: Mon, 1 Jan 2024 00:00:00 +0000\r\n"
    b"Message-ID: <1@example.org>\r\nReferences: <2@example.org>\r\n\t<3@example.org>\r\n\r\nHello\r\n",
    b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b"\r\n\r\n'
    b"--b\r\nContent-Type: text/plain; charset=iso-2022-jp; format=flowed\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n=1B$B$3=1B(B=\r\n\r\n"
    b"--b\r\nContent-Type: message/rfc822\r\n\r\nSubject: inner\r\n"
    b"Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n\r\nx\r\n--c\r\n"
    b"Content-Type: text/html\r\n\r\n<p>&eacute;</p>\r\n--c--\r\n"
    b"--b\r\nContent-Type: application/pdf; name*0=a; name*1*=%C3%A9\r\nContent-Transfer-Encoding: base64\r\n"
    b"Content-Disposition: attachment; filename=x\r\nContent-Language: en, de\r\n\r\nQUJD\r\n--b--\r\n",
    b"Content-Type: text/plain; charset=big5\r\n\r\n\xa4\xa4\xa4\xe5\r\n",
    b"From: a@b <c@d>; e@f, g [h] <i@j>\r\nSubject: a=?utf-8?b?4oCowoUA?=\r\n"
    b"Content-Type: multipart/related; boundary=b\r\n\r\n--b\r\nContent-Type: text/html\r\n\r\n"
    b"<img src=cid:k@l>\r\n--b\r\nContent-Type: image/png\r\nContent-ID: <k@l>\r\n"
    b"Content-Disposition: inline; filename*=utf-8''..%2Fm%E2%80%AE%00\r\n\r\nPNG\r\n--b--\r\n",
    b"From me\nno field\n bad fold\r\n\r\nbegin 644 x\r\n",
)

if __name__ == "__main__":
    run(__doc__, one_input, SEEDS)

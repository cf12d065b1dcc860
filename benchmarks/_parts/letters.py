"""Mail as people have it: the same for the same number, everywhere."""

from __future__ import annotations

import base64
import quopri
import random
from email.utils import formatdate
from typing import NamedTuple

__all__ = ["NAMES", "RARE", "TOPICS", "Letter", "letters"]

RARE = ("zyzzyva", "quokka", "xylograph", "jabberwock")
"""Words of which one stands in every hundredth letter, often encoded."""

NAMES = ("Novak", "Rossi", "Dubois", "Keller", "Svensson", "Tanaka", "Müller", "Ørsted", "Иванова", "山田")
TOPICS = ("project", "invoice", "travel", "backup", "contract", "minutes", "会議", "résumé")

_WORDS = """the of and to in is that for it as was with be by on not at are this have from or had an
they which one you were all their there been who will more if out so said what up its about into
than them can only other new some could time these two may then do first any my now such like our
over most made after also many before must through years where much your way down should because
each just how too little good very make world own see work long get here between both under never
day same another know while last might great year meeting budget schedule attached report quarter
deadline review server release customer shipment order payment account update ticket version draft
proposal agenda conference booking confirm thanks regards question answer problem solution network
database migration request change façade naïve señor отчёт資料 ありがとう καλημέρα""".split()  # noqa: SIM905


class Letter(NamedTuple):
    """A message.

    :ivar rare: which of `RARE` it has, or "".
    """

    octets: bytes
    name: str
    topic: str
    rare: str


def letters(number: int) -> list[Letter]:
    """So many letters of 7 KB on average: text, HTML, attachments, answers to answers."""
    chance = random.Random(number)
    made: list[Letter] = []
    threads: list[tuple[str, str, list[str]]] = []
    for at in range(number):
        name = chance.choice(NAMES)
        if threads and chance.random() < 0.6:
            topic, subject, ids = chance.choice(threads[-200:])
            subject = f"Re: {subject}"
        else:
            topic = chance.choice(TOPICS)
            ids, subject = [], f"{chance.choice(_WORDS)} {topic} {chance.choice(_WORDS)} {at}"
            threads.append((topic, subject, ids))
        host = "example.org" if at % 3 else "corp.example"
        own = f"<{at}.{chance.getrandbits(40):x}@mail.example>"
        rare = RARE[at // 100 % len(RARE)] if not at % 100 else ""
        head = [
            f"Received: from [192.0.2.{at % 250}] by mx.example with ESMTP id {at:012}; {_date(at)}",
            f"Date: {_date(at)}",
            f"From: {_encoded(f'Anna {name}')} <anna{at % 300}@{host}>",
            f"To: Team <team{at % 7}@example.net>, {_encoded(chance.choice(NAMES))} <to{at % 90}@a.example>",
            f"Subject: {_encoded(subject)}",
            f"Message-ID: {own}",
            "MIME-Version: 1.0",
        ]
        if ids:
            head += [f"In-Reply-To: {ids[-1]}", "References: " + "\r\n ".join(ids[-20:])]
        ids.append(own)
        body = _body(chance, at, rare)
        made.append(Letter("\r\n".join(head).encode() + b"\r\n" + body, name, topic, rare))
    return made


def _date(at: int) -> str:
    return formatdate(1_700_000_000 + at * 977)


def _encoded(text: str) -> str:
    return text if text.isascii() else f"=?utf-8?B?{base64.b64encode(text.encode()).decode()}?="


def _text(chance: random.Random, words: int, rare: str) -> str:
    chosen = chance.choices(_WORDS, k=words)
    if rare:
        chosen.insert(words // 2, rare)
    return "\r\n".join(" ".join(chosen[line : line + 11]) for line in range(0, len(chosen), 11)) + "\r\n"


def _part(kind: str, encoding: str, octets: bytes, more: str = "") -> bytes:
    return f"Content-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n{more}\r\n".encode() + octets


def _base64(octets: bytes) -> bytes:
    return base64.encodebytes(octets).replace(b"\n", b"\r\n")


def _body(chance: random.Random, at: int, rare: str) -> bytes:
    kind = chance.random()
    text = _text(chance, chance.randint(60, 500), rare)
    plain = "text/plain; charset=utf-8"
    if kind < 0.4:
        return _part(plain, "8bit", text.encode())
    if kind < 0.5:
        return _part(plain, "base64", _base64(text.encode()))
    quoted = _part(plain, "quoted-printable", quopri.encodestring(text.encode()).replace(b"\r\r\n", b"\r\n"))
    if kind < 0.75:
        other = f"<html><body><p>{text}</p></body></html>\r\n".encode()
        more, subtype = _part("text/html; charset=utf-8", "8bit", other), "alternative"
    else:
        octets = _base64(chance.randbytes(chance.randint(1_000, 24_000)))
        place = f'Content-Disposition: attachment; filename="file{at}.bin"\r\n'
        more, subtype = _part("application/octet-stream", "base64", octets, place), "mixed"
    boundary = f"=_{at:x}_{chance.getrandbits(40):x}"
    head = f'Content-Type: multipart/{subtype}; boundary="{boundary}"\r\n\r\n'.encode()
    line = f"--{boundary}".encode()
    return head + line + b"\r\n" + quoted + b"\r\n" + line + b"\r\n" + more + b"\r\n" + line + b"--\r\n"

"""What the server signs, OpenDKIM and dkimpy verify after Postfix has brought it on."""

from __future__ import annotations

import atexit
import re
import smtplib
import subprocess
from collections.abc import Mapping
from functools import cache
from pathlib import Path

import dkim
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailproto.dkim import KeyFolder, SigningKey
from tests.interop.daemons import new_folder as new_public_folder
from tests.interop.daemons import plain_zone, postfix, postfix_of_kinds, unbound
from tests.interop.server import HOST, PASSWORD, PATIENCE, Server, need, new_folder
from tests.interop.sink import Sink, own_address

ALICE = "alice@example.org"
RESOLVER = own_address(202)
"""Where OpenDKIM asks for keys: a resolver that the system's file names has no other port than 53."""

HEADER = (
    f"From: Alice <{ALICE}>\r\nTo: bob@plain.test\r\nSubject: Hello\r\n"
    "Date: Sat, 28 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@example.org>\r\n"
).encode()
EIGHT = (
    b"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n"
    b"\r\nGr\xc3\xbc\xc3\x9fe\r\n"
)

MESSAGES = {
    "plain": b"\r\nHello.\r\n",
    "no body": b"\r\n",
    "no empty line": b"",
    "no end of the last line": b"\r\nHello.",
    "empty lines": b"\r\n\r\n\r\n\r\n",
    "white space": b"\r\n \r\n\t\r\nx  y \t z \r\n \r\n\r\n",
    "dots": b"\r\n.\r\n..\r\n.x\r\n",
    "long lines": b"\r\n" + (b"x " * 495 + b"\r\n") * 100,
    "long header": b"References: %b\r\nCc: %b\r\n\r\nHello.\r\n"
    % (
        b"\r\n\t".join(b"<%d.%b@example.org>" % (number, b"x" * 40) for number in range(300)),
        b",\r\n ".join(b'"Number  %d" <n%d@plain.test>' % (number, number) for number in range(200)),
    ),
    "odd fields": b"list-ID:x\r\nReply-To :  <bob@example.org>  \r\nX-Empty:\r\n"
    b"CC:\r\n\tcarol@plain.test\r\n\r\nHello.\r\n",
    "large": b"\r\n" + b"All work and no play.\r\n" * 20_000,
    "eight bits": EIGHT,
}


@cache
def keys() -> Mapping[str, SigningKey]:
    """By their selectors."""
    return KeyFolder(server().folder / "dkim").find("example.org")


@cache
def server() -> Server:
    """Ours, with keys for its domain, and Postfix as next hop."""
    folder = new_folder()
    KeyFolder(folder / "dkim").add("example.org", "mail")
    _, ports = postfix_of_kinds()
    options = [f"--route=plain.test=smtp://{HOST}:{postfix().port}", "--relay=off", "--retry=1"]
    options += [f"--route=old.plain.test=smtp://{HOST}:{ports['old']}"]
    found = Server(folder, (ALICE,), options)
    atexit.register(found.kill)
    return found


@cache
def opendkim_folder() -> Path:
    """What OpenDKIM needs: a file that names a resolver, which knows the keys.

    :raises SkipTest: it is not here.
    """
    need("opendkim-testmsg", "opendkim-tools")
    records = ""
    for selector, key in keys().items():
        strings = " ".join(f'"{part}"' for part in re.findall(".{1,200}", key.record))
        records += f"{selector}._domainkey TXT {strings}\n"
    unbound({"example.org.": plain_zone("example.org.", records)}, address=RESOLVER, port=53)
    folder = new_public_folder()
    (folder / "resolv.conf").write_text(f"nameserver {RESOLVER}\n")
    return folder


def opendkim_says(content: bytes) -> str:
    """Why it does not accept the signature; "" if it does."""
    script = f'mount --bind {opendkim_folder()}/resolv.conf /etc/resolv.conf && exec "$@"'
    command = ["unshare", "--mount", "sh", "-c", script, "sh", "opendkim-testmsg", "-C"]
    done = subprocess.run(command, input=content, capture_output=True, timeout=PATIENCE, check=False)
    return done.stderr.decode() or ("" if done.returncode == 0 else f"status {done.returncode}")


def dkimpy_says(content: bytes) -> str:
    """The same."""

    def dns(name: bytes, timeout: int = 5) -> bytes:
        return keys()[name.decode().removesuffix("._domainkey.example.org.")].record.encode()

    try:
        return "" if dkim.DKIM(content).verify(dnsfunc=dns) else "bad"
    except dkim.DKIMException as error:
        return str(error)


def with_one_signature(content: bytes) -> list[bytes]:
    """The message with each of its signatures alone: a verifier may be content with one."""
    fields = list(re.finditer(rb"^DKIM-Signature:[^\n]*\n(?:[ \t][^\n]*\n)*", content, re.MULTILINE))
    found = []
    for kept in fields:
        octets = content
        for field in reversed(fields):
            if field is not kept:
                octets = octets[: field.start()] + octets[field.end() :]
        found.append(octets)
    return found


class DKIMTests(TestCase):
    async def send(self, octets: bytes, domain: str = "plain.test") -> bytes:
        """What arrives of a message that alice submits, exactly as it is here."""
        sink = Sink(self, tls=None)

        def submit() -> None:
            with smtplib.SMTP(HOST, server().ports["submission"], timeout=PATIENCE) as client:
                client.starttls()
                client.login(ALICE, PASSWORD)
                client.mail(ALICE, ["BODY=8BITMIME"])
                client.rcpt(f"bob@{domain}")
                client.send(b"BDAT %d LAST\r\n" % len(octets) + octets)
                reply = client.getreply()
                assert reply[0] == 250, reply

        await deferToThread(submit)
        arrival = await sink.arrival()
        await sink.close()
        return arrival.content

    async def assert_valid(self, content: bytes) -> None:
        signed = with_one_signature(content)
        self.assertEqual(len(signed), 2)
        for each in signed:
            self.assertEqual(dkimpy_says(each), "")
            self.assertEqual(await deferToThread(opendkim_says, each), "")

    async def test_messages_of_all_kinds(self) -> None:
        opendkim_folder()
        for name, rest in MESSAGES.items():
            with self.subTest(name):
                await self.assert_valid(await self.send(HEADER + rest))

    async def test_a_server_that_takes_seven_bits(self) -> None:
        opendkim_folder()
        content = await self.send(HEADER + EIGHT, "old.plain.test")
        self.assertTrue(content.isascii())
        await self.assert_valid(content)

    async def test_what_was_changed_is_found(self) -> None:
        content = await self.send(HEADER + MESSAGES["plain"])
        for changed in (content.replace(b"Hello.", b"Hallo."), b"Subject: another\r\n" + content):
            for each in with_one_signature(changed):
                self.assertNotEqual(dkimpy_says(each), "")
                self.assertNotEqual(await deferToThread(opendkim_says, each), "")

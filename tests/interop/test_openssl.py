"""TLS as ``openssl s_client`` sees it: ALPN, resumption, time, and what comes too early."""

from __future__ import annotations

import contextlib
import re
import socket
import ssl
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from twisted.trial.unittest import TestCase

from tests.interop.server import ACCOUNTS, HOST, PATIENCE, Server, need, new_folder, shared
from tests.interop.test_starttls_injection import PROTOCOLS

IMPLICIT = {"imaps": "imap", "pop3s": "pop3", "submissions": "smtp"}
STARTTLS = {"imap": "imap", "pop3": "pop3", "smtp": "smtp", "submission": "smtp", "lmtp": "lmtp"}
QUIT = {"imap": b"a LOGOUT\r\n", "pop3": b"QUIT\r\n", "smtp": b"QUIT\r\n", "lmtp": b"QUIT\r\n"}
LAST_WORDS = {"imap": b"a OK", "pop3": b"+OK", "smtp": b"221 ", "lmtp": b"221 "}


class OpenSSLTestCase(TestCase):
    def setUp(self) -> None:
        need("openssl", "openssl")
        self.server = shared()

    def s_client(self, listener: str, *options: str) -> str:
        """What it prints of a session that ends with QUIT or the like, which was answered."""
        protocol = IMPLICIT.get(listener) or STARTTLS[listener]
        arguments = ["openssl", "s_client", "-connect", f"{HOST}:{self.server.ports[listener]}"]
        arguments += ["-servername", "localhost", "-CAfile", self.server.certificate, "-verify_return_error"]
        if listener in STARTTLS:
            arguments += ["-starttls", protocol]
        done = subprocess.run(
            [*arguments, "-crlf", "-ign_eof", *options],
            input=QUIT[protocol].replace(b"\r\n", b"\n"),
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        printed = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, printed)
        self.assertIn(LAST_WORDS[protocol], printed)
        self.assertIn(b"Verify return code: 0 (ok)", printed)
        return printed.decode(errors="replace")


class AlpnTests(OpenSSLTestCase):
    def test_what_clients_ask_for(self) -> None:
        """RFC 7301: with none of ours among it, it is as if they had not asked."""
        for listener, protocol in (IMPLICIT | STARTTLS).items():
            own = protocol if protocol != "lmtp" else ""
            for asked in ("imap", "pop3", "smtp", "h2", "http/1.1,imap,pop3,smtp", ""):
                with self.subTest(listener, asked=asked):
                    printed = self.s_client(listener, *(["-alpn", asked] if asked else []))
                    agreed = re.findall(r"^ALPN protocol: (.*)$", printed, re.MULTILINE)
                    self.assertEqual(agreed, [own] if own and own in asked.split(",") else [])


class ResumptionTests(OpenSSLTestCase):
    def test_sessions_are_resumed(self) -> None:
        for listener in IMPLICIT | STARTTLS:
            for version in ("-tls1_2", "-tls1_3"):
                with self.subTest(listener, version=version):
                    session = str(Path(tempfile.mkdtemp(dir=".")) / "session")
                    self.assertIn("New, TLSv1", self.s_client(listener, version, "-sess_out", session))
                    self.assertIn("Reused, TLSv1", self.s_client(listener, version, "-sess_in", session))

    def test_reconnect(self) -> None:
        """Five times, as the option has it."""
        printed = self.s_client("imaps", "-tls1_2", "-reconnect")
        self.assertEqual(printed.count("Reused, TLSv1.2"), 5)


class EarlyTests(TestCase):
    """What comes in one packet with STARTTLS or STLS (RFC 9051 6.2.1, RFC 3207 4.2)."""

    def setUp(self) -> None:
        self.server = shared()

    def connect(self, listener: str) -> socket.socket:
        client = socket.create_connection((HOST, self.server.ports[listener]), PATIENCE)
        self.addCleanup(client.close)
        client.settimeout(PATIENCE)
        self.assertTrue(client.recv(4096))
        hello, *_ = PROTOCOLS[listener]
        client.sendall(hello)
        self.assertTrue(client.recv(4096))
        return client

    def test_handshake(self) -> None:
        """In one piece, and with only its first octets."""
        for listener, (hello, starttls, _) in PROTOCOLS.items():
            for length in (1, 5, 100, 1 << 16):
                with self.subTest(listener, length=length):
                    client = self.connect(listener)
                    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                    tls = self.server.trust().wrap_bio(incoming, outgoing, server_hostname="localhost")
                    self.assertRaises(ssl.SSLWantReadError, tls.do_handshake)
                    client_hello = outgoing.read()
                    client.sendall(starttls + client_hello[:length])
                    go_ahead, _, rest = client.recv(1 << 16).partition(b"\r\n")
                    self.assertRegex(go_ahead, rb"\A(?:220 |\+OK |b OK )")
                    incoming.write(rest)
                    client.sendall(client_hello[length:])
                    self.finish(client, tls, incoming, outgoing)
                    tls.write(hello)
                    client.sendall(outgoing.read())
                    self.assertTrue(self.read(client, tls, incoming))

    def finish(
        self, client: socket.socket, tls: ssl.SSLObject, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO
    ) -> None:
        while True:
            try:
                tls.do_handshake()
            except ssl.SSLWantReadError:
                client.sendall(outgoing.read())
                incoming.write(client.recv(1 << 16))
            else:
                client.sendall(outgoing.read())
                return

    def read(self, client: socket.socket, tls: ssl.SSLObject, incoming: ssl.MemoryBIO) -> bytes:
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                return tls.read(1 << 16)
            incoming.write(client.recv(1 << 16))

    def test_plaintext(self) -> None:
        """It is not acted on, and the connection ends with a word and no reset."""
        words = {b"pop3": b"-ERR ", b"imap": b"* BYE "}
        for listener, (_, starttls, commands) in PROTOCOLS.items():
            for injected in (*commands, commands[0] * 1000, b"\r\n", b"x", b"\x15\x03\x03\x00\x02\x02\x28"):
                with self.subTest(listener, injected=injected[:10]):
                    client = self.connect(listener)
                    client.sendall(starttls + injected)
                    heard = b""
                    while piece := client.recv(4096):  # a reset would raise
                        heard += piece
                    self.assertTrue(heard.startswith(words.get(listener.encode(), b"421 4.7.0 ")), heard)
                    self.assertEqual(heard.count(b"\r\n"), 1)

    def test_handshake_of_nonsense(self) -> None:
        """What begins as one and is none comes to nothing, and none of it is a command."""
        for listener, (_, starttls, commands) in PROTOCOLS.items():
            with self.subTest(listener):
                client = self.connect(listener)
                client.sendall(starttls + b"\x16\x03\x01\x00\x05" + commands[0] + commands[0])
                heard = b""
                while piece := client.recv(4096):
                    heard += piece
                go_ahead, _, rest = heard.partition(b"\r\n")
                self.assertRegex(go_ahead, rb"\A(?:220 |\+OK |b OK )")
                self.assertIn(rest[:1], (b"", b"\x15"))


class TimeTests(TestCase):
    """A handshake that does not come to its end (`Limits.handshake`)."""

    def setUp(self) -> None:
        limits = [f"--limit={name}.handshake=1" for name in ("smtp", "submission", "lmtp", "pop3", "imap")]
        self.server = Server(new_folder(), ACCOUNTS[:1], limits)
        self.addCleanup(self.server.kill)

    def seconds_to_the_end(self, client: socket.socket, drip: bytes) -> float:
        """How long the connection lasts, with an octet of ``drip`` every 0.2 s."""
        began = time.monotonic()
        client.settimeout(0.2)
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < began + PATIENCE:
                with contextlib.suppress(TimeoutError):
                    if not client.recv(4096):
                        break
                client.sendall(drip[:1])
                drip = drip[1:]
        return time.monotonic() - began

    def test_all(self) -> None:
        """Silence, and octet by octet; from the start, and after STARTTLS."""
        context = ssl.create_default_context()
        outgoing = ssl.MemoryBIO()
        with contextlib.suppress(ssl.SSLWantReadError):
            context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="localhost").do_handshake()
        hello = outgoing.read()

        def measure(listener: str, drip: bytes) -> float:
            with socket.create_connection((HOST, self.server.ports[listener]), PATIENCE) as client:
                if listener in STARTTLS:
                    greeting, starttls, _ = PROTOCOLS[listener]
                    for line in (greeting, starttls):
                        self.assertTrue(client.recv(4096))
                        client.sendall(line)
                    self.assertTrue(client.recv(4096))
                return self.seconds_to_the_end(client, drip)

        cases = [(listener, drip) for listener in (*IMPLICIT, *STARTTLS) for drip in (b"", hello)]
        with ThreadPoolExecutor(len(cases)) as threads:  # they wait side by side
            measured = threads.map(lambda case: measure(*case), cases)
            for (listener, drip), seconds in zip(cases, measured, strict=True):
                with self.subTest(listener, drips=bool(drip)):
                    self.assertLess(0.8, seconds)
                    self.assertLess(seconds, 5)
        time.sleep(0.1)  # log lines that come together are written together
        self.assertEqual(self.server.printed().count("TLS handshake not done in time"), 16)
        self.server.terminate()

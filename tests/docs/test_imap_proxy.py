"""The programs of ``docs/imap-proxy.md`` do what the page says."""

from __future__ import annotations

import imaplib
import poplib
import re
import smtplib
from typing import Any

from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from mailproto.backends import MemoryStore
from mailproto.model import NewMessage
from mailproto.testing import running_server
from tests.backends.remote.upstream import Upstream, reactor
from tests.docs.pages import FOLDER
from tests.processes import CHECKOUT, ProgramCase, port_of

EXAMPLE = CHECKOUT / "examples" / "imap_proxy.tac"
TAC, PORTAL, FILTER = re.findall(
    r"^```python\n(.*?)^```$", (FOLDER / "imap-proxy.md").read_text(), re.M | re.S
)
ANY = "tcp:0:interface=127.0.0.1"


class ExampleTests(ProgramCase):
    def server(self, subject: str) -> int:
        """A server with a message for alice; its port for IMAP."""
        program = self.start(
            "--no_save",
            "--python",
            str(CHECKOUT / "tac" / "memory.tac"),
            MAILPROTO_SMTP=ANY,
            MAILPROTO_IMAP=ANY,
        )
        with smtplib.SMTP("127.0.0.1", port_of(program, "smtp")) as client:
            client.sendmail("bob@example.org", ["alice@localhost"], f"Subject: {subject}\r\n\r\nText.\r\n")
        return port_of(program, "imap")

    def test_two_accounts_are_one(self) -> None:
        self.assertEqual(TAC, EXAMPLE.read_text())
        self.assertLess(len(TAC.splitlines()), 30)
        ports = self.server("work"), self.server("home")
        work, home = (f"alice@localhost secret 127.0.0.1 {port}" for port in ports)
        proxy = self.start(
            "--no_save",
            "--python",
            str(EXAMPLE),
            MAILPROTO_WORK=work,
            MAILPROTO_HOME=home,
            MAILPROTO_PASSWORD="mine",
            MAILPROTO_PLAIN="yes",
            MAILPROTO_IMAP=ANY,
            MAILPROTO_POP3=ANY,
        )
        with imaplib.IMAP4("127.0.0.1", port_of(proxy, "imap")) as imap:
            imap.login("me", "mine")
            names = [line.decode().rpartition(" ")[2] for line in imap.list()[1] if isinstance(line, bytes)]
            self.assertLessEqual({"INBOX", "Sent", "Home", "Home/INBOX", "Home/Sent"}, set(names))
            for name, subject in (("Home/INBOX", b"home"), ("INBOX", b"work")):
                self.assertEqual(imap.select(name), ("OK", [b"1"]))
                self.assertIn(subject, imap.fetch("1", "(ENVELOPE)")[1][0])  # type: ignore[operator]
            self.assertEqual(imap.uid("MOVE", "1", "Home/INBOX")[0], "OK")
            self.assertEqual(imap.select("Home/INBOX"), ("OK", [b"2"]))
            self.assertEqual(imap.uid("COPY", "1", "INBOX")[0], "OK")
        pop3 = poplib.POP3("127.0.0.1", port_of(proxy, "pop3"))
        pop3.user("me")
        pop3.pass_("mine")
        self.assertEqual(pop3.stat()[0], 1)
        self.assertIn(b"Subject: home", pop3.retr(1)[1])
        pop3.dele(1)
        pop3.quit()
        with imaplib.IMAP4("127.0.0.1", ports[0]) as imap:
            imap.login("alice@localhost", "secret")
            self.assertEqual(imap.select("INBOX"), ("OK", [b"0"]))


class PortalTests(TestCase):
    timeout = 30

    async def test_the_portals(self) -> None:
        store = MemoryStore()
        await store.start()  # type: ignore[misc]
        self.addCleanup(store.stop)
        await store.directory.add("alice", "hash")  # type: ignore[misc]
        inbox = await (await store.account("alice")).open("INBOX")  # type: ignore[misc]
        await inbox.append([NewMessage(b"Subject: there\r\n\r\n")])
        upstream = Upstream(store)
        self.addCleanup(upstream.stop)
        names: dict[str, Any] = {}
        exec(PORTAL + FILTER, names)
        imap, pop3 = names["make_factories"](reactor, upstream.address())
        filtered = type(imap)(names["make_portal"](reactor, upstream.address()))
        async with running_server(imap, pop3, filtered) as server:
            await deferToThread(self.use, server.ports)

    def use(self, ports: list[int]) -> None:
        with imaplib.IMAP4("127.0.0.1", ports[0]) as imap:
            with self.assertRaises(imaplib.IMAP4.error):
                imap.login("alice", "wrong")
            imap.login("alice", "secret")
            self.assertEqual(imap.select("INBOX"), ("OK", [b"1"]))
            pop3 = poplib.POP3("127.0.0.1", ports[1])
            pop3.user("alice")
            pop3.pass_("secret")
            self.assertIn(b"Subject: there", pop3.retr(1)[1])
            pop3.quit()
        with imaplib.IMAP4("127.0.0.1", ports[2]) as imap:
            imap.login("alice", "secret")
            listed = b" ".join(line for line in imap.list()[1] if isinstance(line, bytes))
            self.assertNotIn(b"Junk", listed)
            self.assertIn(b"Sent", listed)
            self.assertEqual(imap.create("Junk")[0], "NO")
            self.assertEqual(imap.append("INBOX", "", "", b"Subject: x\r\n\r\n")[0], "NO")

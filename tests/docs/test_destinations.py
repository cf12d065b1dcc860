"""The program of ``docs/destinations.md`` does what the page says, and the page's numbers are true."""

from __future__ import annotations

import contextlib
import io
import re
from typing import Any

from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

from mailproto.relay import NextHop
from mailproto.relay._hosts import ADDRESSES_LIMIT, HOSTS_LIMIT
from mailproto.relay._opening import PLAIN_FOR
from mailproto.smtp import SMTPServerFactory
from tests.docs.pages import FOLDER, Page
from tests.smtp.server.dialogue import FakeDelivery

reactor: Any = installed
PAGE = "destinations.md"


class DestinationsTests(TestCase):
    timeout = 20  # seconds

    async def probe(self, domain: str, port: int = 2525) -> str:
        page = Page(PAGE)
        [(_, program)] = page.blocks
        page.blocks = [("python", program.replace(":2525?", f":{port}?"))]
        await page.run()
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            await page.names["probe"](reactor, domain, self.mktemp())
        return printed.getvalue()

    async def test_the_program(self) -> None:
        port = reactor.listenTCP(
            0, SMTPServerFactory(FakeDelivery(), clock=reactor, hostname="mx.test"), interface="127.0.0.1"
        )
        self.addCleanup(port.stopListening)
        number = port.getHost().port
        first, second = (await self.probe("test", number)).splitlines()
        self.assertEqual(first, f"127.0.0.1:{number} ('127.0.0.1',) none")
        self.assertIn("None False", second)

    async def test_an_error(self) -> None:
        self.assertRegex(await self.probe("127.1"), r"\A550 5\.1\.2 ")

    def test_the_defaults(self) -> None:
        text = (FOLDER / PAGE).read_text()
        for scheme, port in re.findall(r"`(\w+)://HOST:PORT` \|.*?the port is (\d+)", text):
            self.assertEqual(NextHop.parse(f"{scheme}://a.example").port, int(port))
        self.assertIn(f"at most {HOSTS_LIMIT}\nservers, with {ADDRESSES_LIMIT} addresses each", text)
        self.assertIn(f"for {PLAIN_FOR // 60} minutes", text)

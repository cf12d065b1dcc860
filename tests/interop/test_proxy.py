"""`examples/smtp_proxy.tac` before real servers: its clients hear what those of the next hop hear."""

from __future__ import annotations

import contextlib
import smtplib

from twisted.internet.threads import deferToThread

from tests.docs.test_proxy import ProxyBase
from tests.interop.daemons import postfix
from tests.interop.server import HOST, message, shared
from tests.interop.sink import Sink

ADDRESSES = ("bob@plain.test", "no@plain.test", "alice@plain.test")
"""A sender, somebody whom Postfix refuses, and somebody whom it takes."""

Replies = list[tuple[int, bytes]]


def refusals(port: int, sender: str, refused: str, accepted: str) -> Replies:
    """The replies to a dialogue in which some things are refused."""
    with smtplib.SMTP(HOST, port, timeout=60) as client:
        client.ehlo("client.test")
        replies = [
            client.mail(sender),
            client.rcpt(refused),
            client.rcpt(accepted),
            client.rset(),
            client.mail(sender),
            client.rcpt("nobody@elsewhere.invalid"),
        ]
        with contextlib.suppress(smtplib.SMTPServerDisconnected):
            client.quit()
    return [(code, text if code >= 400 else b"") for code, text in replies]


class PostfixTests(ProxyBase):
    def test_refusals(self) -> None:
        direct, proxied = self.both(postfix().port, lambda port: refusals(port, *ADDRESSES))
        self.assertEqual(proxied, direct)
        self.assertEqual([code // 100 for code, _ in direct], [2, 5, 2, 2, 2, 5])

    async def test_a_message(self) -> None:
        """To the recipient whom Postfix takes."""
        sink = Sink(self, tls=None)
        self.program = self.proxy(postfix().port)
        _, octets = message("x" * 900 + "\r\n..\r\n" + "y\r\n" * 200_000)

        def send() -> dict[str, tuple[int, bytes]]:
            with smtplib.SMTP(HOST, self.port, timeout=60) as client:
                return client.sendmail(ADDRESSES[0], ADDRESSES[1:], octets)

        refused = await deferToThread(send)
        self.assertEqual([(name, code) for name, (code, _) in refused.items()], [(ADDRESSES[1], 554)])
        arrival = await sink.arrival()
        self.assertEqual(arrival.content.partition(b"\r\n\r\n")[2], octets.partition(b"\r\n\r\n")[2])


class OwnServerTests(ProxyBase):
    def test_refusals(self) -> None:
        addresses = ("bob@client.test", "nobody@example.org", "alice@example.org")
        direct, proxied = self.both(shared().ports["smtp"], lambda port: refusals(port, *addresses))
        self.assertEqual(proxied, direct)
        self.assertEqual([code // 100 for code, _ in direct], [2, 5, 2, 2, 2, 5])

    def test_a_message(self) -> None:
        self.program = self.proxy(shared().ports["smtp"])
        with smtplib.SMTP(HOST, self.port, timeout=60) as client:
            self.assertEqual(client.sendmail("bob@client.test", ["alice@example.org"], message()[1]), {})
        self.program.wait_for(r'taken id=.* detail="250 2\.0\.0 Taken as [0-9a-f]+"')

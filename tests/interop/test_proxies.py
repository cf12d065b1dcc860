"""Real clients that say, as proxies do, whom they speak for."""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from tests.interop.server import ACCOUNTS, HOST, PASSWORD, Server, need, new_folder, run

CLIENT = "203.0.113.9"


class ProxyTestCase(TestCase):
    def serve(self, *options: str) -> None:
        need("swaks", "swaks")
        need("curl", "curl")
        self.server = Server(new_folder(), ACCOUNTS[:1], options)
        self.addCleanup(self.server.terminate)

    def swaks(self, *options: str, status: int = 0) -> str:
        """The dialogue of one message to the account."""
        arguments = ("--server", f"{HOST}:{self.server.ports['smtp']}", "--to", ACCOUNTS[0])
        return run("swaks", *arguments, "--from", "bob@example.com", *options, status=status).decode()

    def inbox(self, *options: str) -> list[str]:
        """Its messages."""
        count = self._pop3("", *options).count("\n")
        return [self._pop3(str(number + 1), *options) for number in range(count)]

    def _pop3(self, path: str, *options: str) -> str:
        url = f"pop3s://{HOST}:{self.server.ports['pop3s']}/{path}"
        trust = ("--cacert", self.server.certificate)
        user = f"{ACCOUNTS[0]}:{PASSWORD}"
        return run("curl", "--silent", "--show-error", *trust, "--user", user, *options, url).decode()


class PROXYTests(ProxyTestCase):
    def test_both_versions_in_front_of_everything(self) -> None:
        self.serve("--proxy", HOST, "--limit", "smtp.greeting_wait=0.2")
        address = ("--proxy-source", CLIENT, "--proxy-source-port", "40000")
        address += ("--proxy-dest", "198.51.100.2", "--proxy-dest-port", "25")
        for options in (
            ("--proxy-version", "1", "--proxy-family", "TCP4"),
            ("--proxy-version", "2", "--proxy-family", "AF_INET", "--proxy-protocol", "STREAM"),
            ("--proxy-version", "2", "--proxy-family", "AF_INET", "--proxy-protocol", "STREAM", "--tls"),
        ):
            self.swaks(*options, *address)
        messages = self.inbox("--haproxy-protocol")  # before TLS begins
        self.assertEqual(len(messages), 3)
        for message in messages:
            self.assertIn(f" ([{CLIENT}])\r\n", message)
        self.swaks("--timeout", "2", status=21)  # no header, no greeting


class XCLIENTTests(ProxyTestCase):
    def test_a_client_and_its_name(self) -> None:
        self.serve("--xclient", HOST)
        options = ("--xclient-addr", CLIENT, "--xclient-helo", "client.example", "--xclient-proto", "ESMTP")
        dialogue = self.swaks(*options, "--xclient-name", "client.example", "--helo", "proxy.example")
        self.assertIn(" -> XCLIENT ", dialogue)
        (message,) = self.inbox()
        self.assertIn(f" ([{CLIENT}])\r\n", message)

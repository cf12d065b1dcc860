"""Failed logins of a connection: one password that is tried in several ways counts once."""

from __future__ import annotations

from mailproto.auth import password_portal
from mailproto.imap import IMAPServerFactory
from mailproto.imap.limits import IMAPLimits
from tests.auth.exchanges import b64
from tests.imap.server.dialogue import DialogueTestCase

TOLD = "S: a NO [AUTHENTICATIONFAILED] Authentication failed\n"
END = "S: * BYE Too many failed logins\nS closes"


def command(password: str, name: str = "alice") -> str:
    return f'C: a LOGIN {name} "{password}"\n'


def plain(password: str, name: str = "alice") -> str:
    response = b64(f"\0{name}\0{password}")
    return f"C: a AUTHENTICATE PLAIN {response}\n"


def login(password: str) -> str:
    return f"C: a AUTHENTICATE LOGIN\nS: +...\nC: {b64('alice')}\nS: +...\nC: {b64(password)}\n"


class CountTests(DialogueTestCase):
    def test_one_password_in_all_ways(self) -> None:
        """Thunderbird: AUTHENTICATE PLAIN, AUTHENTICATE LOGIN, LOGIN."""
        self.connect()
        attempt = plain("wrong") + TOLD + login("wrong") + TOLD + command("wrong") + TOLD
        self.talk(attempt * (IMAPLimits().failed_logins - 1))
        self.talk(plain("wrong") + TOLD + END)

    def test_guesses_in_all_ways(self) -> None:
        self.connect()
        guesses = (plain("1"), login("2"), command("3"), command("4"), plain("5"))
        self.talk("".join(guess + TOLD for guess in guesses) + END)


class LateTests(DialogueTestCase):
    """With the limits as they are by default."""

    def serve(self, *portals: object) -> list[IMAPServerFactory]:
        return [
            IMAPServerFactory(portal, clock=self.clock, hostname="mail.example.org")  # type: ignore[arg-type]
            for portal in portals
        ]

    def test_every_checker(self) -> None:
        ours = password_portal({"alice": "secret"}, account=self.store.account)
        for factory in self.serve(self.factory.portal, ours):
            self.factory = factory
            for name in ("alice", "bob"):
                for attempt in (command("wrong", name), plain("wrong", name)):
                    self.connect()
                    self.talk(attempt + "wait 1.49 s")
                    self.talk("wait 0.02 s\n" + TOLD)

    def test_password_portal(self) -> None:
        [self.factory] = self.serve(password_portal({"alice": "secret"}, account=self.store.account))
        self.open()
        self.talk(
            """
            S: * OK [CAPABILITY ... SASL-IR AUTH=PLAIN AUTH=LOGIN] ...
            C: a LOGIN ALICE secret
            S: a OK ...
            C: b STATUS INBOX (MESSAGES)
            S: * STATUS INBOX (MESSAGES 0)
            S: b OK ...
            """
        )

"""Failed logins of a connection: one password that is tried in several ways counts once."""

from __future__ import annotations

from mailproto.auth import password_portal
from mailproto.pop3 import POP3ServerFactory
from mailproto.pop3.limits import POP3Limits
from tests.auth.exchanges import b64
from tests.pop3.server.session import SessionTestCase

TOLD = "S: -ERR [AUTH] Authentication failed\n"


def user(password: str) -> str:
    return f"C: USER alice\nS: +OK...\nC: PASS {password}\n{TOLD}"


def plain(password: str) -> str:
    response = b64(f"\0alice\0{password}")
    return f"C: AUTH PLAIN {response}\n{TOLD}"


def login(password: str) -> str:
    return f"C: AUTH LOGIN\nS: +...\nC: {b64('alice')}\nS: +...\nC: {b64(password)}\n{TOLD}"


class CountTests(SessionTestCase):
    def test_one_password_in_all_ways(self) -> None:
        number = POP3Limits().failed_logins
        transport = self.play((plain("wrong") + login("wrong") + user("wrong")) * (number - 1))
        self.play(plain("wrong") + "S closes", transport)

    def test_guesses_in_all_ways(self) -> None:
        self.play(plain("1") + login("2") + user("3") + user("4") + plain("5") + "S closes")


class LateTests(SessionTestCase):
    """With the limits as they are by default."""

    def make_factory(self, **more: object) -> POP3ServerFactory:
        return super().make_factory(limits=POP3Limits(), **more)

    def test_every_checker(self) -> None:
        ours = password_portal({"alice": "secret word"}, account=lambda name: self.account)
        for portal in (self.factory.portal, ours):
            self.factory.portal = portal
            for name in ("alice", "bob"):
                for attempt in (
                    f"C: USER {name}\nS: +OK...\nC: PASS wrong",
                    f"C: AUTH PLAIN {b64(f'{chr(0)}{name}{chr(0)}wrong')}",
                ):
                    transport = self.play(attempt + "\nwait 1.49 s")
                    self.play("wait 0.02 s\n" + TOLD, transport)

    def test_password_portal(self) -> None:
        self.factory.portal = password_portal({"alice": "secret word"}, account=lambda name: self.account)
        self.play("C: USER alice\nS: +OK...\nC: PASS secret word\nS: +OK 0 messages...")
        self.play("C: CAPA\nS: +OK...\nS*: ...\nS: SASL PLAIN LOGIN\nS*: ...\nS: .")

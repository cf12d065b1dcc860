"""LANG (RFC 6856 3)."""

from __future__ import annotations

from tests.pop3.server.session import ALICE, SessionTestCase

LANG = """
C: LANG
S: +OK Languages
S: en English
S: i-default English
S: .
C: LANG en-GB
S: +OK en English it is
C: LANG *
S: +OK en English it is
C: lang I-Default
S: +OK i-default English it is
C: LANG uga
S: -ERR This language is not spoken here; LANG alone lists those that are
C: LANG en de
S: -ERR...
C: LANG e_n
S: -ERR LANG [language-range]
C: LANG ü
S: -ERR LANG [language-range]
"""


class LangTests(SessionTestCase):
    def test_before_login(self) -> None:
        self.play(LANG)

    def test_after_login(self) -> None:
        self.play(f"{ALICE}\n{LANG}")

    def test_between_user_and_pass(self) -> None:
        self.play("C: USER alice\nS: +OK...\nC: LANG en\nS: +OK...\nC: PASS secret word\nS: -ERR...")

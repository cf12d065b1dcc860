"""Response codes (RFC 2449 8, RFC 3206) wherever a client could not know otherwise what went wrong."""

from __future__ import annotations

from mailproto.errors import MailboxInUse, MailError, NoSuchMailbox, StorageFull, Unavailable
from mailproto.pop3.limits import POP3Limits
from tests.pop3.server.session import SessionTestCase

SIGN_IN = "C: USER alice\nS: +OK...\nC: PASS secret word\nS: -ERR {}"


class CodeTests(SessionTestCase):
    def test_right_credentials_are_never_refused_without_a_code(self) -> None:
        """Otherwise the client asks for another password."""
        for failure, said in (
            (MailboxInUse(), "[IN-USE] Mailbox in use"),
            (Unavailable(), "[SYS/TEMP] Temporary failure, try again later"),
            (StorageFull(), "[SYS/TEMP] Insufficient system storage"),
            (NoSuchMailbox(), "[SYS/PERM] No such mailbox"),
            (MailError("odd"), "[SYS/PERM] odd"),
            (RuntimeError(), "[SYS/TEMP] Temporary failure, try again later"),
        ):
            self.account.failure = failure
            self.play(SIGN_IN.format(said))
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)
        self.assertEqual(self.realm.signed_in, 0)

    def test_too_many_sessions(self) -> None:
        self.factory = self.make_factory(limits=POP3Limits(sessions_per_account=1))
        self.sign_in()
        self.play(SIGN_IN.format("[SYS/TEMP]..."))

    def test_wrong_credentials(self) -> None:
        self.play("C: USER alice\nS: +OK...\nC: PASS wrong\nS: -ERR [AUTH] Authentication failed")
        self.play("C: AUTH PLAIN AGFsaWNlAHdyb25n\nS: -ERR [AUTH] Authentication failed")

    def test_a_maildrop_that_fails_later(self) -> None:
        self.inbox.add(b"Hi\r\n")
        transport = self.sign_in()
        self.inbox.failure = Unavailable()
        for command in ("RETR 1", "TOP 1 0", "DELE 1\nS: +OK...\nC: QUIT"):
            closes = "\nS closes" if command.endswith("QUIT") else ""
            self.play(
                f"C: {command}\nS: -ERR [SYS/TEMP] Temporary failure, try again later{closes}", transport
            )

"""EXPIRE and LOGIN-DELAY, by the server's policy or the account's (RFC 2449 6.5, 6.7, 8.1.1)."""

from __future__ import annotations

from typing import Any

from twisted.cred.portal import Portal
from twisted.internet.defer import ensureDeferred
from zope.interface import implementer

from mailproto.interfaces import IAccount, IAddOns
from mailproto.interfaces.add_ons import IPOP3Policy
from mailproto.model import MAX_LOGIN_DELAY, POP3Policy
from mailproto.pop3 import POP3ServerFactory
from mailproto.pop3.server import _policy
from tests.pop3.server.session import ALICE, Account, Mailbox, Realm, SessionTestCase

QUIT = "C: QUIT\nS: +OK Bye{}\nS closes\n"
TOO_SOON = "C: USER alice\nS: +OK...\nC: PASS secret word\nS: -ERR [LOGIN-DELAY] Try again in {} seconds\n"


def retr(number: int) -> str:
    return f"C: RETR {number}\nS: +OK 18 octets\nS: Subject: {number - 1}\nS:\nS: Hi\nS: .\n"


class PolicyTestCase(SessionTestCase):
    def announced(self, transport: Any) -> list[str]:
        transport.send(b"CAPA\r\n")
        lines: list[str] = transport.read().decode().split("\r\n")
        return [line for line in lines if line.startswith(("EXPIRE", "LOGIN-DELAY"))]


class ExpireTests(PolicyTestCase):
    def setUp(self) -> None:
        super().setUp()
        for number in range(4):
            self.inbox.add(b"Subject: %d\r\n\r\nHi\r\n" % number)
        self.factory = self.make_factory(policy=POP3Policy(expire=0))

    def left(self) -> list[int]:
        return list(self.successResultOf(ensureDeferred(self.inbox.changes_since(0))).changed.uids)

    def test_what_was_retrieved_is_removed_by_quit(self) -> None:
        top = retr(4).replace("RETR 4", "TOP 4 100").replace("18 octets", "Top of message follows")
        stat = "C: STAT\nS: +OK 4 72\n"
        self.play(ALICE + "\n" + retr(1) + retr(3) + top + stat + QUIT.format(", 2 messages removed"))
        self.assertEqual(self.left(), [2, 4])

    def test_it_is_announced(self) -> None:
        self.assertEqual(self.announced(self.play("")), ["EXPIRE 0"])
        self.assertEqual(self.announced(self.sign_in()), ["EXPIRE 0"])

    def test_without_quit_nothing_is_removed(self) -> None:
        transport = self.sign_in()
        transport.send(b"RETR 1\r\n")
        transport.drop()
        self.assertEqual(self.left(), [1, 2, 3, 4])

    def test_rset_does_not_undo_a_download(self) -> None:
        self.play(f"{ALICE}\n{retr(1)}C: DELE 2\nS: +OK...\nC: RSET\nS: +OK 4...\n{QUIT.format('...')}")
        self.assertEqual(self.left(), [2, 3, 4])

    def test_deleting_what_was_retrieved(self) -> None:
        self.play(f"{ALICE}\n{retr(1)}C: DELE 1\nS: +OK...\n{QUIT.format(', 1 messages removed')}")
        self.assertEqual(self.left(), [2, 3, 4])

    def test_a_mailbox_that_cannot_be_changed(self) -> None:
        self.inbox.writable = False
        self.play(f"{ALICE}\n{retr(1)}{QUIT.format('')}")

    def test_a_message_that_was_not_sent(self) -> None:
        transport = self.sign_in()
        self.inbox.failure = OSError("gone")
        self.play("C: RETR 1\nS: -ERR [SYS/TEMP]...", transport)
        self.inbox.failure = None
        self.play(QUIT.format(""), transport)
        self.assertEqual(self.left(), [1, 2, 3, 4])
        self.flushLoggedErrors()

    def test_days_are_only_announced(self) -> None:
        self.factory = self.make_factory(policy=POP3Policy(expire=30))
        self.assertEqual(self.announced(self.sign_in()), ["EXPIRE 30"])
        self.play(f"{ALICE}\n{retr(1)}{QUIT.format('')}")
        self.assertEqual(self.left(), [1, 2, 3, 4])


class LoginDelayTests(PolicyTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.factory = self.make_factory(policy=POP3Policy(login_delay=60))

    def test_a_second_login_is_too_soon(self) -> None:
        self.assertEqual(self.announced(self.play("")), ["EXPIRE NEVER", "LOGIN-DELAY 60"])
        self.play(f"{ALICE}\n{QUIT.format('')}")
        self.clock.advance(20)
        self.play(TOO_SOON.format(40))
        self.clock.advance(39.5)
        transport = self.play(TOO_SOON.format(1))
        self.clock.advance(0.5)
        self.play(ALICE, transport)
        self.assertEqual(self.realm.signed_in, 1)

    def test_every_way_to_sign_in(self) -> None:
        self.play(ALICE)
        self.play("C: AUTH PLAIN AGFsaWNlAHNlY3JldCB3b3Jk\nS: -ERR [LOGIN-DELAY] Try again in 60 seconds")

    def test_wrong_passwords_do_not_count(self) -> None:
        self.play("C: USER alice\nS: +OK...\nC: PASS wrong\nS: -ERR [AUTH]...")
        self.play(ALICE)
        self.play("C: USER alice\nS: +OK...\nC: PASS wrong\nS: -ERR [AUTH]...")

    def test_a_login_that_came_to_nothing_does_count(self) -> None:
        """It costs the server as much."""
        self.account.failure = OSError("no disk")
        self.play("C: USER alice\nS: +OK...\nC: PASS secret word\nS: -ERR [SYS/TEMP]...")
        self.account.failure = None
        self.play(TOO_SOON.format(60))
        self.flushLoggedErrors()

    def test_what_is_remembered_is_limited(self) -> None:
        self.patch(_policy, "MAX_REMEMBERED", 3)
        times = _policy.LoginTimes(self.clock)
        for number in range(10):
            times.sign_in(f"name{number}", 60)
        self.assertEqual(len(times._next), 3)
        self.assertRaises(_policy.TooSoon, times.sign_in, "NAME9", 60)
        self.clock.advance(60)
        times.sign_in("other", 60)
        self.assertEqual(len(times._next), 1)


@implementer(IAccount, IPOP3Policy)
class OwnPolicy(Account):
    policy: Any = POP3Policy(expire=0, login_delay=10)

    async def pop3_policy(self) -> POP3Policy:
        return self.policy  # type: ignore[no-any-return]


@implementer(IAddOns)
class OwnPolicies(Realm):
    add_ons = frozenset({IPOP3Policy})


class AccountTests(PolicyTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.account = OwnPolicy(self.inbox)
        self.factory = self.with_policies(self.account)

    def with_policies(self, account: Account) -> POP3ServerFactory:
        portal = Portal(OwnPolicies(account), [self.checker])
        return POP3ServerFactory(portal, clock=self.clock, hostname="mail.test", policy=POP3Policy(expire=7))

    def test_the_policy_of_an_account_is_known_after_login(self) -> None:
        least = ["EXPIRE 0 USER", f"LOGIN-DELAY {MAX_LOGIN_DELAY} USER"]
        self.assertEqual(self.announced(self.play("")), least)
        self.assertEqual(self.announced(self.sign_in()), ["EXPIRE 0", "LOGIN-DELAY 10"])
        self.play(TOO_SOON.format(10))

    def test_an_account_without_one_has_the_servers(self) -> None:
        self.factory = self.with_policies(Account(Mailbox()))
        self.assertEqual(self.announced(self.sign_in()), ["EXPIRE 7"])

    def test_a_delay_that_was_made_shorter_holds(self) -> None:
        self.play(ALICE)
        self.account.policy = POP3Policy(login_delay=3)
        self.play(TOO_SOON.format(3))
        self.account.policy = POP3Policy()
        self.play(ALICE)

    def test_a_wrong_result_is_named_in_the_log(self) -> None:
        self.account.policy = 7
        self.play("C: USER alice\nS: +OK...\nC: PASS secret word\nS: -ERR [SYS/TEMP]...")
        [failure] = self.flushLoggedErrors(TypeError)
        self.assertIn("pop3_policy of 'alice' returned a int: return a POP3Policy", str(failure.value))


class NamedTests(PolicyTestCase):
    def test_the_policy_that_was_set_for_a_name(self) -> None:
        """Before login, CAPA says the least of all, which is known here."""
        for policies, before, after in (
            ({"ALICE": POP3Policy(expire=0)}, ["EXPIRE 0 USER"], ["EXPIRE 0"]),
            ({"bob": POP3Policy(expire=3)}, ["EXPIRE 3 USER"], ["EXPIRE NEVER"]),
            ({"bob": POP3Policy()}, ["EXPIRE NEVER"], ["EXPIRE NEVER"]),
            (
                {"alice": POP3Policy(login_delay=5), "bob": POP3Policy(expire=7, login_delay=9)},
                ["EXPIRE 7 USER", "LOGIN-DELAY 9 USER"],
                ["EXPIRE NEVER", "LOGIN-DELAY 5"],
            ),
        ):
            self.factory = self.make_factory(policies=policies)
            self.assertEqual(self.announced(self.play("")), before)
            self.assertEqual(self.announced(self.sign_in()), after)


class ArgumentTests(SessionTestCase):
    def test_values(self) -> None:
        for wrong in ({"expire": -1}, {"login_delay": -1}, {"login_delay": MAX_LOGIN_DELAY + 1}):
            self.assertRaises(ValueError, POP3Policy, **wrong)
        self.assertRaises(TypeError, POP3Policy, expire="never")
        self.assertRaises(TypeError, self.make_factory, policy=0)
        self.assertRaises(TypeError, self.make_factory, policies={"alice": 0})

"""QUOTA (RFC 9208) in dialogues."""

from __future__ import annotations

from mailproto.model import NO_LIMIT, Quota, QuotaLimits, QuotaUse
from tests.imap.server.dialogue import DialogueTestCase, message, run


class QuotaTests(DialogueTestCase):
    def limit(self, storage: int | None = None, messages: int | None = None) -> None:
        run(self.store.set_limits("alice", QuotaLimits(storage, messages)))

    def test_it_is_announced(self) -> None:
        for word in ("QUOTA", "QUOTASET", "QUOTA=RES-STORAGE", "QUOTA=RES-MESSAGE", "QUOTA=RES-MAILBOX"):
            self.assertIn(word, self.factory.tables.announced.decode().split())

    def test_limits_and_usage(self) -> None:
        self.limit(3 * 1024, 5)
        self.inbox.add(b"x" * 1025, [], 0)
        self.sign_in()
        self.talk(
            """
            C: a GETQUOTAROOT inbox
            S: * QUOTAROOT INBOX ""
            S: * QUOTA "" (STORAGE 2 3 MESSAGE 1 5 MAILBOX 6 10000)
            S: a OK GETQUOTAROOT completed
            C: b GETQUOTA ""
            S: * QUOTA "" (STORAGE 2 3 MESSAGE 1 5 MAILBOX 6 10000)
            S: b OK GETQUOTA completed
            C: c GETQUOTA "#user/alice"
            S: c NO [NONEXISTENT] No such quota root
            C: d GETQUOTAROOT "not yet there"
            S: * QUOTAROOT "not yet there" ""
            S: * QUOTA "" (STORAGE 2 3 MESSAGE 1 5 MAILBOX 6 10000)
            S: d OK GETQUOTAROOT completed
            """
        )

    def test_a_resource_without_a_limit_is_not_told(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a GETQUOTA {0}
            S: + OK
            C:
            S: * QUOTA "" (MAILBOX 6 10000)
            S: a OK GETQUOTA completed
            """
        )

    def test_part_of_a_unit_counts_as_one(self) -> None:
        self.limit(1500)
        self.inbox.add(b"x" * 1400, [], 0)
        self.sign_in()
        self.talk(
            """
            C: a GETQUOTA ""
            S: * QUOTA "" (STORAGE 2 2 MAILBOX 6 10000)
            S: a OK GETQUOTA completed
            """
        )

    def test_an_account_may_not_change_its_limits_here(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a SETQUOTA "" (STORAGE 512)
            S: a NO [NOPERM] Permission denied
            C: b SETQUOTA "" (ANNOTATION-STORAGE 512)
            S: b NO [CANNOT] Only STORAGE and MESSAGE can be limited
            """
        )

    def test_an_account_that_may(self) -> None:
        asked: list[tuple[str, QuotaLimits]] = []

        async def set_quota(root: str, limits: QuotaLimits) -> Quota:
            asked.append((root, limits))
            return Quota(root, QuotaUse(58 << 10, limits.storage), QuotaUse(1, limits.messages))

        session = self.sign_in().session
        self.patch(session.account, "set_quota", set_quota)
        self.talk(
            """
            C: a SETQUOTA "#user/alice" (STORAGE 512 MESSAGE 10)
            S: * QUOTA "#user/alice" (STORAGE 58 512 MESSAGE 1 10)
            S: a OK SETQUOTA completed
            C: b SETQUOTA x (STORAGE 9223372036854775807)
            S: * QUOTA "x" (STORAGE 58 9007199254740992 MESSAGE 1 9223372036854775807)
            S: b OK SETQUOTA completed
            C: c SETQUOTA "" ()
            S: * QUOTA "" (STORAGE 58 9007199254740992 MESSAGE 1 9223372036854775807)
            S: c OK SETQUOTA completed
            """
        )
        self.assertEqual(
            asked,
            [
                ("#user/alice", QuotaLimits(512 << 10, 10)),
                ("x", QuotaLimits(NO_LIMIT, NO_LIMIT)),
                ("", QuotaLimits(NO_LIMIT, NO_LIMIT)),
            ],
        )

    def test_what_is_wrong(self) -> None:
        self.sign_in()
        many = " ".join(f"R{number} 1" for number in range(101))
        self.talk(
            f"""
            C: a GETQUOTA
            S: a BAD Missing argument
            C: b GETQUOTA "\\xff"
            S: b BAD ...
            C: c SETQUOTA "" (STORAGE)
            S: c BAD ...
            C: d SETQUOTA "" STORAGE 1
            S: d BAD ...
            C: e SETQUOTA "" (STORAGE 9223372036854775808)
            S: e BAD Number too large
            C: f SETQUOTA "" ({many})
            S: f NO [LIMIT] Too many resources
            C: g GETQUOTAROOT "&"
            S: g NO [CANNOT] Mailbox name is not modified UTF-7
            """
        )

    def test_what_expunging_would_free(self) -> None:
        self.inbox.add(message(), ["\\Deleted"], 0)
        self.inbox.add(message(), [], 0)
        self.sign_in()
        size = len(message())
        self.talk(
            f"""
            C: a STATUS INBOX (MESSAGES DELETED DELETED-STORAGE)
            S: * STATUS INBOX (MESSAGES 2 DELETED 1 DELETED-STORAGE {size})
            S: a OK STATUS completed
            C: b LIST "" (INBOX Sent) RETURN (STATUS (DELETED-STORAGE))
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: * LIST (\\HasNoChildren \\Sent) "/" Sent
            S: * STATUS INBOX (DELETED-STORAGE {size})
            S: * STATUS Sent (DELETED-STORAGE 0)
            S: b OK LIST completed
            """
        )

    def test_what_is_too_much_is_refused(self) -> None:
        """In APPEND, COPY and MOVE; a move inside the account adds nothing."""
        self.limit(messages=2)
        self.inbox.add(message(), [], 0)
        self.inbox.add(message(), [], 0)
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a APPEND Sent {5+}
            C: Hello
            S: a NO [OVERQUOTA] ...
            C: b COPY 1 Sent
            S: b NO [OVERQUOTA] ...
            C: c MOVE 1 Sent
            S: * OK [COPYUID ...
            S: * 1 EXPUNGE
            S: c OK MOVE completed
            """
        )

"""ACL (RFC 4314), LIST-MYRIGHTS (RFC 8440) and NAMESPACE (RFC 2342) in dialogues of two accounts."""

from __future__ import annotations

from mailproto.backends import _rights
from mailproto.model import FlagOperation
from tests.imap.server.dialogue import DialogueTestCase, message, run

SHARED = "user/alice/Sent"


class ACLTestCase(DialogueTestCase):
    """Alice signs in over the connection 1, and Bob over 2."""

    def setUp(self) -> None:
        super().setUp()
        run(self.store.directory.add("bob", ""))
        self.sent = run(self.account.open("Sent"))
        for name in ("1", "2"):
            self.connect(name)
        self.talk(
            """
            C1: a LOGIN alice secret
            S1: a OK ...
            C2: a LOGIN bob secret
            S2: a OK ...
            """
        )

    def allow(self, rights: str, mailbox: str = "Sent") -> None:
        run(self.account.set_acl(mailbox, "bob", rights, FlagOperation.SET))


class CommandTests(ACLTestCase):
    def test_it_is_announced(self) -> None:
        for word in ("ACL", "RIGHTS=kxte", "LIST-MYRIGHTS", "NAMESPACE"):
            self.assertIn(word, self.factory.tables.announced.decode().split())

    def test_rights_are_given_and_taken(self) -> None:
        self.talk(
            """
            C1: a SETACL Sent bob lr
            S1: a OK SETACL completed
            C1: b GETACL sent
            S1: b NO [NONEXISTENT] No such mailbox
            C1: c GETACL Sent
            S1: * ACL Sent alice lrswipkxteacd bob lr
            S1: c OK GETACL completed
            C1: d SETACL Sent BOB +cda
            S1: d OK SETACL completed
            C1: e SETACL Sent bob -xr
            S1: e OK SETACL completed
            C1: f GETACL Sent
            S1: * ACL Sent alice lrswipkxteacd bob lkteacd
            S1: f OK GETACL completed
            C2: g MYRIGHTS user/alice/Sent
            S2: * MYRIGHTS user/alice/Sent lkteacd
            S2: g OK MYRIGHTS completed
            C1: h DELETEACL Sent bob
            S1: h OK DELETEACL completed
            C1: i GETACL Sent
            S1: * ACL Sent alice lrswipkxteacd
            S1: i OK GETACL completed
            C2: j MYRIGHTS user/alice/Sent
            S2: j NO [NONEXISTENT] No such mailbox
            C1: k MYRIGHTS Sent
            S1: * MYRIGHTS Sent lrswipkxteacd
            S1: k OK MYRIGHTS completed
            """
        )

    def test_everybody_and_negative_rights(self) -> None:
        self.talk(
            """
            C1: a SETACL Sent anyone lrs
            S1: a OK SETACL completed
            C1: b SETACL Sent -bob s
            S1: b OK SETACL completed
            C1: c GETACL Sent
            S1: * ACL Sent alice lrswipkxteacd anyone lrs -bob s
            S1: c OK GETACL completed
            C2: d MYRIGHTS user/alice/Sent
            S2: * MYRIGHTS user/alice/Sent lr
            S2: d OK MYRIGHTS completed
            """
        )

    def test_which_rights_can_be_given(self) -> None:
        self.talk(
            """
            C1: a LISTRIGHTS Sent bob
            S1: * LISTRIGHTS Sent bob "" l r s w i p k x t e a c d
            S1: a OK LISTRIGHTS completed
            C1: b LISTRIGHTS Sent "ALICE"
            S1: * LISTRIGHTS Sent ALICE lrswipkxteacd
            S1: b OK LISTRIGHTS completed
            """
        )

    def test_what_is_wrong(self) -> None:
        self.talk(
            f"""
            C1: a SETACL Sent bob lrQswi
            S1: a BAD No such right
            C1: b SETACL Sent bob lrqswi
            S1: b BAD No such right
            C1: c SETACL Sent "" lr
            S1: c BAD Not an identifier
            C1: d SETACL Nowhere bob lr
            S1: d NO [NONEXISTENT] No such mailbox
            C1: e SETACL Sent alice -a
            S1: e NO [NOPERM] The owner of a mailbox keeps all rights
            C1: f SETACL Sent bob
            S1: f BAD Missing argument
            C1: g SETACL Sent bob +-lr
            S1: g BAD No such right
            C1: h DELETEACL Sent "-"
            S1: h BAD Not an identifier
            C1: i LISTRIGHTS Sent "--bob"
            S1: i BAD Not an identifier
            C1: k SETACL Sent {{401+}}
            C1: {"x" * 401} lr
            S1: k BAD Identifier too long
            C1: j MYRIGHTS Nowhere
            S1: j NO [NONEXISTENT] No such mailbox
            """
        )

    def test_too_many_identifiers(self) -> None:
        """New mailboxes have those of the one above, so they count for all of an account's mailboxes."""
        self.patch(_rights, "MAX_ACCOUNT_IDENTIFIERS", 5)
        self.talk(
            """
            C1: a SETACL Sent bob l
            S1: a OK ...
            C1: b SETACL Sent anyone l
            S1: b OK ...
            C1: c CREATE Sent/a
            S1: c OK ...
            C1: d CREATE Sent/b
            S1: d NO [LIMIT] Too many identifiers
            C1: e SETACL Drafts bob l
            S1: e OK ...
            C1: f SETACL Drafts anyone l
            S1: f NO [LIMIT] Too many identifiers
            C1: g SETACL Drafts bob lr
            S1: g OK ...
            C1: h CREATE x
            S1: h OK ...
            """
        )

    def test_who_may_not_administer_gets_no_answer(self) -> None:
        self.allow("lrswipkxte")
        self.talk(
            f"""
            C2: a GETACL {SHARED}
            S2: a NO [NOPERM] Permission denied
            C2: b SETACL {SHARED} bob +a
            S2: b NO [NOPERM] Permission denied
            C2: c DELETEACL {SHARED} bob
            S2: c NO [NOPERM] Permission denied
            C2: d LISTRIGHTS {SHARED} bob
            S2: d NO [NOPERM] Permission denied
            C2: e GETACL user/alice/INBOX
            S2: e NO [NONEXISTENT] No such mailbox
            """
        )

    def test_names_beyond_ascii(self) -> None:
        self.talk(
            """
            C1: a SETACL Sent {5+}
            C1: j\u00f6rg lr
            S1: a OK SETACL completed
            C1: b GETACL Sent
            S1: * ACL Sent alice lrswipkxteacd {5}
            S1: j\u00f6rg lr
            S1: b OK GETACL completed
            """
        )


class EnforcementTests(ACLTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.sent.add(message(), ["\\Deleted"], 0)
        self.sent.add(message(), [], 0)

    def test_nothing_is_known_of_what_is_not_shared(self) -> None:
        for command in (
            "SELECT NAME",
            "EXAMINE NAME",
            "STATUS NAME (MESSAGES)",
            "DELETE NAME",
            "SUBSCRIBE NAME",
            "APPEND NAME {5+}\r\nHello",
            "RENAME NAME y",
            "MYRIGHTS NAME",
            "GETMETADATA NAME /shared/comment",
        ):
            with self.subTest(command=command):
                for name in (SHARED, "user/alice/None", "user/nobody/INBOX"):
                    self.clients["2"].send(f"a {command.replace(' NAME', f' {name}')}\r\n".encode())
                    answer = self.clients["2"].received()
                    self.assertRegex(answer, rb"\Aa NO \[(NONEXISTENT|TRYCREATE)\] No such mailbox\r\n\Z")

    def test_who_may_only_read(self) -> None:
        self.allow("lr")
        self.talk(
            f"""
            C2: a SELECT {SHARED}
            S2*: * ...
            S2: a OK [READ-ONLY] SELECT completed
            C2: b STORE 2 +FLAGS (\\Seen)
            S2: b NO [NOPERM] ...
            C2: c EXPUNGE
            S2: c NO [NOPERM] ...
            C2: d MOVE 2 INBOX
            S2: d NO [NOPERM] ...
            C2: e FETCH 2 (BODY[TEXT])
            S2: * 2 FETCH (BODY[TEXT] {{11}}
            S2: Hello Bob
            S2: )
            S2: e OK FETCH completed
            C2: f COPY 2 INBOX
            S2: f OK [COPYUID ...
            C2: g COPY 2 {SHARED}
            S2: g NO [NOPERM] ...
            C2: h CLOSE
            S2: h OK CLOSE completed
            C2: i APPEND {SHARED} {{5}}
            S2: i NO [NOPERM] ...
            C2: j CREATE {SHARED}/below
            S2: j NO [NOPERM] ...
            C2: k DELETE {SHARED}
            S2: k NO [NOPERM] ...
            C2: l RENAME {SHARED} {SHARED}2
            S2: l NO [NOPERM] ...
            """
        )

    def test_flags_for_which_there_is_a_right_are_kept(self) -> None:
        self.allow("lrw")
        self.talk(
            f"""
            C2: a SELECT {SHARED}
            S2*: * ...
            S2: a OK [READ-WRITE] SELECT completed
            C2: b STORE 2 +FLAGS (\\Seen \\Flagged)
            S2: * 2 FETCH (FLAGS (\\Flagged \\Recent))
            S2: b OK STORE completed
            C2: c STORE 2 +FLAGS (\\Deleted)
            S2: c NO [NOPERM] Permission denied
            C2: d FETCH 2 (BODY[HEADER.FIELDS (X)])
            S2: * 2 FETCH (BODY[HEADER.FIELDS (X)] {{2}}
            S2:
            S2: )
            S2: d OK FETCH completed
            C2: e EXPUNGE
            S2: e NO [NOPERM] Permission denied
            C2: f CLOSE
            S2: f OK CLOSE completed
            """
        )
        self.assertEqual(run(self.sent.status()).messages, 2)

    def test_who_may_only_put_messages_there(self) -> None:
        self.allow("li")
        self.talk(
            f"""
            C2: a APPEND {SHARED} (\\Seen \\Flagged) {{5+}}
            C2: Hello
            S2: a OK APPEND completed
            C2: b APPEND INBOX {{5+}}
            C2: Hello
            S2: b OK ...
            C2: c SELECT INBOX
            S2*: * ...
            S2: c OK ...
            C2: d COPY 1 {SHARED}
            S2: d OK COPY completed
            C2: e STATUS {SHARED} (MESSAGES)
            S2: e NO [NOPERM] Permission denied
            C2: f SELECT {SHARED}
            S2: * OK [CLOSED] Previous mailbox closed
            S2: f NO [NOPERM] Permission denied
            C2: g LIST "" {SHARED} RETURN (STATUS (MESSAGES) MYRIGHTS)
            S2: * LIST (\\Noselect \\HasNoChildren) "/" {SHARED}
            S2: * MYRIGHTS {SHARED} li
            S2: g OK LIST completed
            """
        )
        self.assertEqual(run(self.sent.status()).messages, 4)

    def test_moving_to_where_one_may_only_put_messages(self) -> None:
        """RFC 4315 3: the client is not told the UIDs there."""
        self.allow("li")
        self.talk(
            f"""
            C2: a APPEND INBOX {{5+}}
            C2: Hello
            S2: a OK [APPENDUID ...
            C2: b SELECT INBOX
            S2*: * ...
            S2: b OK ...
            C2: c MOVE 1 {SHARED}
            S2: * 1 EXPUNGE
            S2: c OK MOVE completed
            """
        )

    def test_who_may_make_and_remove_mailboxes(self) -> None:
        self.allow("lk")
        self.talk(
            f"""
            C2: a CREATE {SHARED}/below
            S2: a OK CREATE completed
            C2: b CREATE user/alice/beside
            S2: b NO [NOPERM] Permission denied
            C2: c MYRIGHTS {SHARED}/below
            S2: * MYRIGHTS {SHARED}/below lkc
            S2: c OK MYRIGHTS completed
            C2: d DELETE {SHARED}/below
            S2: d NO [NOPERM] Permission denied
            C1: e SETACL Sent/below bob +x
            S1: e OK SETACL completed
            C2: f DELETE {SHARED}/below
            S2: f OK DELETE completed
            """
        )

    def test_rights_that_are_taken_away_while_the_mailbox_is_selected(self) -> None:
        self.allow("lrs")
        self.talk(
            f"""
            C2: a SELECT {SHARED}
            S2*: * ...
            S2: a OK [READ-WRITE] SELECT completed
            C1: b SETACL Sent bob -s
            S1: b OK SETACL completed
            C2: c STORE 2 +FLAGS (\\Seen)
            S2: c NO [NOPERM] Permission denied
            C1: d SETACL Sent bob -r
            S1: d OK SETACL completed
            C1: e APPEND Sent {{5+}}
            C1: Hello
            S1: e OK ...
            C2: f NOOP
            S2: * BYE Selected mailbox may not be read any more
            S2 closes
            """
        )

    def test_rights_that_are_taken_away_from_one_who_idles(self) -> None:
        self.allow("lr")
        self.talk(
            f"""
            C2: a EXAMINE {SHARED}
            S2*: * ...
            S2: a OK [READ-ONLY] EXAMINE completed
            C2: b IDLE
            S2: + idling
            C1: c DELETEACL Sent bob
            S1: c OK DELETEACL completed
            C1: d APPEND Sent {{5+}}
            C1: Hello
            S1: d OK ...
            S2: * BYE Selected mailbox was deleted
            S2 closes
            """
        )


class ListTests(ACLTestCase):
    def test_namespaces(self) -> None:
        self.talk(
            """
            C1: a NAMESPACE
            S1: * NAMESPACE (("" "/")) (("user/" "/")) (("shared/" "/"))
            S1: a OK NAMESPACE completed
            """
        )

    def test_mailboxes_of_others_are_listed(self) -> None:
        run(self.account.create("Sent/old"))
        self.allow("lr")
        self.allow("r", "Drafts")
        self.talk(
            """
            C2: a LIST "" user/*
            S2: * LIST (\\Noselect \\HasChildren) "/" user/alice
            S2: * LIST (\\HasNoChildren) "/" user/alice/Sent
            S2: a OK LIST completed
            C2: b SUBSCRIBE user/alice/Sent
            S2: b OK SUBSCRIBE completed
            C2: c LSUB "" user/*
            S2: * LSUB () "/" user/alice/Sent
            S2: c OK LSUB completed
            C2: d LIST (SUBSCRIBED RECURSIVEMATCH) "" user RETURN (MYRIGHTS STATUS (MESSAGES))
            S2: * LIST (\\Noselect \\HasChildren) "/" user ("CHILDINFO" ("SUBSCRIBED"))
            S2: d OK LIST completed
            C2: e LIST "user/alice/" % RETURN (MYRIGHTS STATUS (MESSAGES))
            S2: * LIST (\\HasNoChildren) "/" user/alice/Sent
            S2: * MYRIGHTS user/alice/Sent lr
            S2: * STATUS user/alice/Sent (MESSAGES 0)
            S2: e OK LIST completed
            """
        )

    def test_rights_to_what_does_not_exist_are_not_told(self) -> None:
        run(self.account.create("a/b"))
        run(self.account.subscribe("a/b"))
        run(self.account.delete("a"))
        run(self.account.create("gone"))
        run(self.account.subscribe("gone"))
        run(self.account.delete("gone"))
        self.talk(
            """
            C1: a LIST (SUBSCRIBED RECURSIVEMATCH) "" (a gone) RETURN (MYRIGHTS)
            S1: * LIST (\\Noselect \\HasChildren) "/" a ("CHILDINFO" ("SUBSCRIBED"))
            S1: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" gone
            S1: a OK LIST completed
            C1: b LIST "" (a a/b) RETURN (MYRIGHTS)
            S1: * LIST (\\Noselect \\HasChildren) "/" a
            S1: * LIST (\\HasNoChildren) "/" a/b
            S1: * MYRIGHTS a/b lrswipkxteacd
            S1: b OK LIST completed
            """
        )


class FindingTests(ACLTestCase):
    def test_who_may_read_may_find_and_sort(self) -> None:
        for subject in ("b", "a"):
            self.sent.add(message(subject), (), 0)
        self.allow("lr")
        self.talk(
            """
            C2: a EXAMINE user/alice/Sent
            S2*: * ...
            S2: a OK [READ-ONLY] EXAMINE completed
            C2: b SEARCH SUBJECT a
            S2: * SEARCH 2
            S2: b OK SEARCH completed
            C2: c SORT (SUBJECT) UTF-8 ALL
            S2: * SORT 2 1
            S2: c OK SORT completed
            C2: d THREAD REFS UTF-8 ALL
            S2: * THREAD (1)(2)
            S2: d OK THREAD completed
            C2: e ESEARCH IN (mailboxes user/alice/Sent personal) RETURN (COUNT) ALL
            S2: * ESEARCH (TAG "e" MAILBOX user/alice/Sent UIDVALIDITY <<validity>>) UID COUNT 2
            S2: e OK ESEARCH completed
            """
        )

    def test_what_is_not_shared_is_left_out(self) -> None:
        self.sent.add(message(), (), 0)
        self.allow("l")
        self.talk(
            """
            C2: a ESEARCH IN (mailboxes user/alice/Sent subtree user) ALL
            S2: a OK ESEARCH completed
            """
        )
        self.allow("r")
        self.talk(
            """
            C2: b ESEARCH IN (subtree user) ALL
            S2: b OK ESEARCH completed
            C2: c ESEARCH IN (mailboxes user/alice/Sent) ALL
            S2: * ESEARCH (TAG "c" MAILBOX user/alice/Sent UIDVALIDITY <<validity>>) UID ALL 1
            S2: c OK ESEARCH completed
            """
        )

"""CREATE, DELETE, RENAME, SUBSCRIBE, STATUS, LIST, LSUB."""

from __future__ import annotations

from tests.imap.server.dialogue import DialogueTestCase, message, run

DEFAULTS = ("Archive", "Drafts", "Junk", "Sent", "Trash")


class MailboxTestCase(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        for name in DEFAULTS:
            run(self.account.delete(name))
            run(self.account.unsubscribe(name))
        self.sign_in()


class ManageTests(MailboxTestCase):
    def test_create_delete_and_what_is_refused(self) -> None:
        self.talk(
            """
            C: a CREATE Work/Plans/
            S: a OK [MAILBOXID ...] CREATE completed
            C: b CREATE Work
            S: b NO [ALREADYEXISTS] Mailbox exists already
            C: c CREATE inbox
            S: c NO [ALREADYEXISTS] Mailbox exists already
            C: d CREATE Work//x
            S: d NO [CANNOT] Not possible with that mailbox name
            C: e DELETE INBOX
            S: e NO [CANNOT] INBOX cannot be deleted
            C: f DELETE Nowhere
            S: f NO [NONEXISTENT] No such mailbox
            C: g LIST "" *
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: * LIST (\\HasChildren) "/" Work
            S: * LIST (\\HasNoChildren) "/" Work/Plans
            S: g OK LIST completed
            C: h DELETE Work
            S: h OK DELETE completed
            C: i DELETE Work
            S: i NO [HASCHILDREN] The name has children, and is no mailbox itself
            C: j LIST "" W*
            S: * LIST (\\Noselect \\HasChildren) "/" Work
            S: * LIST (\\HasNoChildren) "/" Work/Plans
            S: j OK LIST completed
            """
        )

    def test_special_use(self) -> None:
        self.talk(
            """
            C: a CREATE Outgoing (USE (\\Sent))
            S: a OK [MAILBOXID ...] CREATE completed
            C: b LIST "" Out*
            S: * LIST (\\HasNoChildren \\Sent) "/" Outgoing
            S: b OK LIST completed
            C: c LIST (SPECIAL-USE) "" *
            S: * LIST (\\HasNoChildren \\Sent) "/" Outgoing
            S: c OK LIST completed
            C: d CREATE z (USE (\\NoSuchUse))
            S: d NO [USEATTR] Special use not supported
            C: e CREATE z (USE (\\All))
            S: e NO [USEATTR] Special use not supported
            """
        )

    def test_rename_moves_inferiors(self) -> None:
        """Corner case 30."""
        self.talk(
            """
            C: a CREATE a/b
            S: a OK [MAILBOXID ...] CREATE completed
            C: b RENAME a c
            S: b OK RENAME completed
            C: c LIST "" *
            S: * LIST (\\HasNoChildren) "/" INBOX
            S: * LIST (\\HasChildren) "/" c
            S: * LIST (\\HasNoChildren) "/" c/b
            S: c OK LIST completed
            C: d RENAME x y
            S: d NO [NONEXISTENT] No such mailbox
            C: e RENAME c/b INBOX
            S: e NO [ALREADYEXISTS] Mailbox exists already
            """
        )

    def test_rename_of_inbox_moves_its_messages(self) -> None:
        """Corner case 30."""
        self.fill(2)
        self.talk(
            """
            C: a CREATE INBOX/below
            S: a OK [MAILBOXID ...] CREATE completed
            C: b RENAME INBOX old
            S: b OK RENAME completed
            C: c STATUS old (MESSAGES)
            S: * STATUS old (MESSAGES 2)
            S: c OK STATUS completed
            C: d STATUS INBOX (MESSAGES)
            S: * STATUS INBOX (MESSAGES 0)
            S: d OK STATUS completed
            C: e LIST "" INBOX*
            S: * LIST (\\HasChildren) "/" INBOX
            S: * LIST (\\HasNoChildren) "/" INBOX/below
            S: e OK LIST completed
            """
        )

    def test_a_name_used_again_has_a_larger_uidvalidity(self) -> None:
        """Corner case 31."""
        run(self.account.create("a"))
        before = run(self.account.open("a")).uid_validity
        self.talk(
            """
            C: a DELETE a
            S: a OK DELETE completed
            C: b CREATE a
            S: b OK [MAILBOXID ...] CREATE completed
            """
        )
        self.assertGreater(run(self.account.open("a")).uid_validity, before)

    def test_status(self) -> None:
        self.inbox.add(message(), ["\\Deleted"])
        self.inbox.add(message(), ["\\Seen"])
        self.talk(
            f"""
            C: a STATUS inbox (UIDNEXT MESSAGES UNSEEN RECENT UIDVALIDITY SIZE DELETED)
            S: * STATUS INBOX (UIDNEXT 3 MESSAGES 2 UNSEEN 1 RECENT 2 UIDVALIDITY {self.inbox.uid_validity} SIZE {2 * len(message())} DELETED 1)
            S: a OK STATUS completed
            C: b STATUS Nowhere (MESSAGES)
            S: b NO [NONEXISTENT] No such mailbox
            C: c STATUS INBOX ()
            S: c BAD ...
            """  # noqa: E501
        )


class ListTests(MailboxTestCase):
    def setUp(self) -> None:
        super().setUp()
        for name in ("INBOX/in", "Work/a.b", "Work/+x", "Work/deep/er", "work"):
            run(self.account.create(name))

    def names(self, command: str) -> list[str]:
        """What is listed, without attributes."""
        client = self.clients[""]
        client.send(f"a {command}\r\n".encode())
        *lines, end = client.received().decode().splitlines()
        self.assertTrue(end.startswith("a OK"), end)
        return [line.split('"/" ')[1] for line in lines]

    def test_patterns(self) -> None:
        """Corner cases 28 and 29."""
        everything = ["INBOX", "INBOX/in", "Work", "Work/+x", "Work/a.b", "Work/deep", "Work/deep/er", "work"]
        for pattern, found in {
            "*": everything,
            "%": ["INBOX", "Work", "work"],
            "%/%": ["INBOX/in", "Work/+x", "Work/a.b", "Work/deep"],
            "Work/*": ["Work/+x", "Work/a.b", "Work/deep", "Work/deep/er"],
            "*e*": ["Work/deep", "Work/deep/er"],
            "Work/a.b": ["Work/a.b"],
            "Work/+x": ["Work/+x"],
            "Work/a?b": [],
            "inbox": ["INBOX"],
            "iNb%": ["INBOX"],
            "inbox/%": ["INBOX/in"],
            "Inbox*": ["INBOX", "INBOX/in"],
            "Work/": [],
        }.items():
            self.assertEqual(self.names(f'LIST "" "{pattern}"'), found, pattern)

    def test_reference(self) -> None:
        self.assertEqual(self.names('LIST "Work/" "%"'), ["Work/+x", "Work/a.b", "Work/deep"])
        self.assertEqual(self.names('LIST inbox "/%"'), ["INBOX/in"])

    def test_an_empty_pattern_asks_for_the_delimiter(self) -> None:
        """Corner case 29."""
        self.talk(
            """
            C: a LIST "" ""
            S: * LIST (\\Noselect) "/" ""
            S: a OK LIST completed
            C: b LSUB "x" ""
            S: * LSUB (\\Noselect) "/" ""
            S: b OK LSUB completed
            """
        )

    def test_names_that_hold_only_inferiors(self) -> None:
        run(self.account.delete("Work/deep"))
        self.talk(
            """
            C: a LIST "" Work/d%
            S: * LIST (\\Noselect \\HasChildren) "/" Work/deep
            S: a OK LIST completed
            C: b SELECT Work/deep
            S: b NO [NONEXISTENT] No such mailbox
            C: c STATUS Work/deep (MESSAGES)
            S: c NO [NONEXISTENT] No such mailbox
            """
        )

    def test_names_beyond_ascii(self) -> None:
        """Corner case 27."""
        self.talk(
            """
            C: a CREATE "B&APw-cher & more"
            S: a NO [CANNOT] Mailbox name is not modified UTF-7
            C: b CREATE "B&APw-cher &- more"
            S: b OK [MAILBOXID ...] CREATE completed
            C: c LIST "" B*
            S: * LIST (\\HasNoChildren) "/" "B&APw-cher &- more"
            S: c OK LIST completed
            """
        )

    def test_subscriptions(self) -> None:
        self.talk(
            """
            C: a SUBSCRIBE Work/deep/er
            S: a OK SUBSCRIBE completed
            C: b SUBSCRIBE Nowhere
            S: b NO [NONEXISTENT] No such mailbox
            C: c LSUB "" *
            S: * LSUB () "/" INBOX
            S: * LSUB () "/" Work/deep/er
            S: c OK LSUB completed
            C: d LSUB "" %
            S: * LSUB () "/" INBOX
            S: * LSUB (\\Noselect) "/" Work
            S: d OK LSUB completed
            C: e DELETE Work/deep/er
            S: e OK DELETE completed
            C: f LSUB "" Work/*
            S: * LSUB (\\Noselect) "/" Work/deep/er
            S: f OK LSUB completed
            C: g LIST (SUBSCRIBED) "" Work*
            S: * LIST (\\NonExistent \\HasNoChildren \\Subscribed) "/" Work/deep/er
            S: g OK LIST completed
            C: h UNSUBSCRIBE Work/deep/er
            S: h OK UNSUBSCRIBE completed
            C: i LSUB "" *
            S: * LSUB () "/" INBOX
            S: i OK LSUB completed
            """
        )

    def test_extended_list(self) -> None:
        run(self.account.subscribe("Work/deep/er"))
        self.talk(
            """
            C: a LIST (SUBSCRIBED RECURSIVEMATCH) "" "%"
            S: * LIST (\\HasChildren \\Subscribed) "/" INBOX
            S: * LIST (\\HasChildren) "/" Work ("CHILDINFO" ("SUBSCRIBED"))
            S: a OK LIST completed
            C: b LIST "" (work INBOX/%) RETURN (SUBSCRIBED CHILDREN)
            S: * LIST (\\HasNoChildren) "/" INBOX/in
            S: * LIST (\\HasNoChildren) "/" work
            S: b OK LIST completed
            C: c LIST "" % RETURN (STATUS (MESSAGES UNSEEN))
            S: * LIST (\\HasChildren) "/" INBOX
            S: * LIST (\\HasChildren) "/" Work
            S: * LIST (\\HasNoChildren) "/" work
            S: * STATUS INBOX (MESSAGES 0 UNSEEN 0)
            S: * STATUS Work (MESSAGES 0 UNSEEN 0)
            S: * STATUS work (MESSAGES 0 UNSEEN 0)
            S: c OK LIST completed
            C: d LIST (RECURSIVEMATCH) "" *
            S: d BAD ...
            """
        )

    def test_superiors_that_are_not_there_are_shown_to_hold_subscriptions(self) -> None:
        run(self.account.create("x/y"))
        run(self.account.subscribe("x/y"))
        run(self.account.delete("x/y"))
        run(self.account.delete("x"))
        self.talk(
            """
            C: a LIST (SUBSCRIBED RECURSIVEMATCH) "" x
            S: * LIST (\\NonExistent \\HasNoChildren) "/" x ("CHILDINFO" ("SUBSCRIBED"))
            S: a OK LIST completed
            """
        )

"""MULTISEARCH (RFC 7377): ESEARCH in several mailboxes."""

from __future__ import annotations

from tests.imap.server.dialogue import DialogueTestCase, message, run


class MultisearchTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.validity: dict[str, int] = {"INBOX": self.inbox.uid_validity}
        for name, subjects in {
            "folder1": ["chad", "other", "chad"],
            "folder2": ["other"],
            "folder2/salmon": ["other", "chad"],
            "folder2/salmon/egg": ["chad"],
            "folder22": ["chad"],
        }.items():
            run(self.account.create(name))
            mailbox = run(self.account.open(name))
            self.validity[name] = mailbox.uid_validity
            for subject in subjects:
                mailbox.add(message(subject), (), 0)
        self.inbox.add(message("chad"), ["\\Seen"], 0)
        self.sign_in()

    def found(self, command: str) -> dict[str, str]:
        """What is found, by mailbox."""
        client = self.clients[""]
        client.send(f"t {command}\r\n".encode())
        *lines, end = client.received().decode().splitlines()
        self.assertTrue(end.startswith("t OK "), end)
        found = {}
        for line in lines:
            where, _, what = line.removeprefix('* ESEARCH (TAG "t" MAILBOX ').partition(") UID ")
            name, _, validity = where.partition(" UIDVALIDITY ")
            self.assertEqual(int(validity), self.validity[name])
            found[name] = what
        return found

    def test_sources(self) -> None:
        for sources, names in {
            'mailboxes "folder1" subtree-one "folder2"': "folder1 folder2/salmon",
            'MAILBOXES folder1 SUBTREE "folder2"': "folder1 folder2/salmon folder2/salmon/egg",
            "inboxes": "INBOX",
            "personal": "INBOX folder1 folder2/salmon folder2/salmon/egg folder22",
            "mailboxes (folder22 none folder2 inbox)": "INBOX folder22",
            "mailboxes folder1 mailboxes folder1": "folder1",
            "subscribed": "INBOX",
        }.items():
            found = self.found(f"ESEARCH IN ({sources}) SUBJECT chad")
            self.assertEqual(" ".join(found), names, sources)
            self.assertEqual(found.get("folder1", "ALL 1,3"), "ALL 1,3")
        run(self.account.subscribe("folder22"))
        self.assertEqual(self.found("ESEARCH IN (subscribed) UNSEEN"), {"folder22": "ALL 1"})

    def test_options_are_for_each_mailbox(self) -> None:
        self.assertEqual(
            self.found("ESEARCH IN (subtree folder2 mailboxes folder1) RETURN (COUNT MAX) SUBJECT chad"),
            {
                "folder1": "MAX 3 COUNT 2",
                "folder2/salmon": "MAX 2 COUNT 1",
                "folder2/salmon/egg": "MAX 1 COUNT 1",
            },
        )
        self.assertEqual(
            self.found("ESEARCH IN (mailboxes folder1) RETURN (PARTIAL 2:5) SUBJECT chad"),
            {"folder1": "PARTIAL (2:5 3)"},
        )

    def test_the_selected_mailbox(self) -> None:
        self.talk(
            """
            C: a ESEARCH ALL
            S: a BAD [CLIENTBUG] No mailbox is selected
            C: b ESEARCH IN (selected personal) ALL
            S: b BAD ...
            C: c ESEARCH IN (personal) RETURN (UPDATE) ALL
            S: c BAD ...
            """
        )
        client = self.clients[""]
        client.send(b"s SELECT folder1\r\n")
        client.received()
        self.assertEqual(self.found("ESEARCH SUBJECT chad"), {"folder1": "ALL 1,3"})
        self.assertEqual(self.found("UID ESEARCH IN (selected) 3"), {"folder1": "ALL 3"})
        self.assertEqual(
            list(self.found("ESEARCH IN (selected personal) SUBJECT chad"))[:2], ["folder1", "INBOX"]
        )
        self.assertEqual(self.found("ESEARCH IN (mailboxes folder1) 3"), {"folder1": "ALL 3"})
        self.assertEqual(self.found("ESEARCH IN (mailboxes INBOX) SEEN"), {"INBOX": "ALL 1"})
        self.assertEqual(self.found("ESEARCH SUBJECT none"), {})
        self.talk(
            """
            C: a ESEARCH IN (mailboxes folder1) RETURN (SAVE) ALL
            S: a BAD ...
            C: b ESEARCH RETURN (SAVE) SUBJECT other
            S: b OK ESEARCH completed
            C: c UID SEARCH $
            S: * SEARCH 2
            S: c OK UID SEARCH completed
            C: d ESEARCH IN (selected mailboxes INBOX) RETURN (UPDATE COUNT) SEEN
            S: * ESEARCH (TAG "d" MAILBOX INBOX UIDVALIDITY <<validity>>) UID COUNT 1
            S: d OK ESEARCH completed
            C: e STORE 1 +FLAGS.SILENT (\\Seen)
            S: * ESEARCH (TAG "d") UID ADDTO (0 1)
            S: e OK STORE completed
            """
        )

    def test_it_leaves_recent_and_watches_alone(self) -> None:
        self.found("ESEARCH IN (personal) ALL")
        client = self.clients[""]
        client.send(b"s SELECT folder1\r\n")
        self.assertIn(b"* 3 RECENT", client.received())
        mailbox = run(self.account.open("folder22"))
        self.assertFalse(mailbox._listeners if hasattr(mailbox, "_listeners") else ())

    def test_what_is_not_valid(self) -> None:
        self.talk(
            """
            C: a ESEARCH IN () ALL
            S: a BAD ...
            C: b ESEARCH IN (selected-delayed) ALL
            S: b BAD ...
            C: c ESEARCH IN (mailboxes ()) ALL
            S: c BAD ...
            C: d ESEARCH IN (mailboxes a)
            S: d BAD ...
            C: e ESEARCH IN (personal) CHARSET KOI8-R ALL
            S: e NO [BADCHARSET (US-ASCII UTF-8)] ...
            """
        )

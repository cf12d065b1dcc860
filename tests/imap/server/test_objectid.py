"""OBJECTID (RFC 8474), SAVEDATE (RFC 8514), STATUS=SIZE (RFC 8438) and APPENDLIMIT (RFC 7889)."""

from __future__ import annotations

from mailproto.imap.extensions import STANDARD
from mailproto.imap.server._registry import Tables
from mailproto.model import NewMessage, Part
from tests.imap.server.dialogue import DialogueTestCase, run

FIRST = b"Message-ID: <1@x>\r\nSubject: A\r\n\r\nx\r\n"
ANSWER = b"Message-ID: <2@x>\r\nReferences: <1@x>\r\nSubject: Re: A\r\n\r\nx\r\n"
OTHER = b"Message-ID: <3@x>\r\nSubject: B\r\n\r\nx\r\n"


class ObjectIdTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        run(self.inbox.append([NewMessage(each) for each in (FIRST, ANSWER, OTHER)]))
        self.infos = run(self.inbox.read([1, 2, 3], Part.IDS))

    def test_mailboxes(self) -> None:
        """4: the id stays through a rename, and no other mailbox has it."""
        self.sign_in()
        self.talk(
            """
            C: a CREATE foo
            S: a OK [MAILBOXID (<<foo>>)] CREATE completed
            C: b CREATE bar/
            S: b OK [MAILBOXID (<<bar>>)] CREATE completed
            C: c CREATE foo
            S: c NO [ALREADYEXISTS] ...
            C: d SELECT foo
            S*: * ...
            S: * OK [MAILBOXID (<<foo>>)] Id
            S: d OK [READ-WRITE] SELECT completed
            C: e RENAME foo renamed
            S: e OK RENAME completed
            C: f STATUS renamed (MAILBOXID)
            S: * STATUS renamed (MAILBOXID (<<foo>>))
            S: f OK STATUS completed
            C: g LIST "" (bar renamed) RETURN (STATUS (MAILBOXID))
            S: * LIST (\\HasNoChildren) "/" bar
            S: * LIST (\\HasNoChildren) "/" renamed
            S: * STATUS bar (MAILBOXID (<<bar>>))
            S: * STATUS renamed (MAILBOXID (<<foo>>))
            S: g OK LIST completed
            C: h CREATE special (USE (\\Archive))
            S: h OK [MAILBOXID (...)] CREATE completed
            """
        )
        self.assertNotEqual(self.dialogue.values["foo"], self.dialogue.values["bar"])

    def test_messages(self) -> None:
        """5: a copy has the same ids, and an answer is in the thread."""
        one, two, three = self.infos
        self.assertEqual(one.thread_id, two.thread_id)
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a FETCH 1:3 (EMAILID THREADID)
            S: * 1 FETCH (EMAILID ({one.email_id}) THREADID ({one.thread_id}))
            S: * 2 FETCH (EMAILID ({two.email_id}) THREADID ({one.thread_id}))
            S: * 3 FETCH (EMAILID ({three.email_id}) THREADID ({three.thread_id}))
            S: a OK FETCH completed
            C: b MOVE 2 Archive
            S: * OK [COPYUID ...] Moved
            S: * 2 EXPUNGE
            S: b OK MOVE completed
            C: c EXAMINE Archive
            S*: * ...
            S: c OK [READ-ONLY] EXAMINE completed
            C: d UID FETCH 1 (EMAILID THREADID)
            S: * 1 FETCH (UID 1 EMAILID ({two.email_id}) THREADID ({one.thread_id}))
            S: d OK UID FETCH completed
            """
        )

    def test_search(self) -> None:
        """6."""
        one, two, _ = self.infos
        self.sign_in(select="INBOX")
        self.talk(
            f"""
            C: a SEARCH EMAILID {two.email_id}
            S: * SEARCH 2
            S: a OK SEARCH completed
            C: b SEARCH THREADID {one.thread_id}
            S: * SEARCH 1 2
            S: b OK SEARCH completed
            C: c UID SEARCH NOT THREADID {one.thread_id} OR EMAILID {one.email_id} LARGER 1
            S: * SEARCH 3
            S: c OK UID SEARCH completed
            C: d SEARCH EMAILID M0000
            S: * SEARCH
            S: d OK SEARCH completed
            C: e SEARCH EMAILID "a b"
            S: e BAD Not an id
            C: f SEARCH THREADID
            S: f BAD ...
            """
        )


class SaveDateTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        self.fill(2)
        infos = run(self.inbox.read([1], Part.SAVE_DATE))
        self.saved = infos[0].save_date
        mailboxes = type(self.inbox)
        self.patch(mailboxes, "read", self.read(mailboxes.read))

    def read(self, original):  # type: ignore[no-untyped-def]
        """The second message was saved a day before 2019."""

        async def read(mailbox, uids, parts):  # type: ignore[no-untyped-def]
            infos = await original(mailbox, uids, parts)
            return [
                info._replace(save_date=1546214400) if info.uid == 2 and parts & Part.SAVE_DATE else info
                for info in infos
            ]

        return read

    def test_fetch(self) -> None:
        self.sign_in(select="INBOX")
        self.talk(
            """
            C: a FETCH 2 (SAVEDATE)
            S: * 2 FETCH (SAVEDATE "31-Dec-2018 00:00:00 +0000")
            S: a OK FETCH completed
            """
        )

    def test_search(self) -> None:
        self.sign_in(select="INBOX")
        for key, found in (
            ("SAVEDON 31-Dec-2018", " 2"),
            ("SAVEDBEFORE 31-Dec-2018", ""),
            ("SAVEDBEFORE 1-Jan-2019", " 2"),
            ("SAVEDSINCE 31-Dec-2018", " 1 2"),
            ("SAVEDSINCE 1-Jan-2019", " 1"),
            ("NOT SAVEDON 31-Dec-2018 SMALLER 10000", " 1"),
            ("SAVEDATESUPPORTED", " 1 2"),
            ("NOT SAVEDATESUPPORTED", ""),
        ):
            self.talk(f"C: a SEARCH {key}\nS: * SEARCH{found}\nS: a OK SEARCH completed")
        self.talk("C: b SEARCH SAVEDON\nS: b BAD ...\nC: c SEARCH SAVEDON 31-Foo-2018\nS: c BAD ...")


class LimitTests(DialogueTestCase):
    def test_append_limit(self) -> None:
        self.sign_in()
        self.talk(
            """
            C: a CAPABILITY
            S: * CAPABILITY ...APPENDLIMIT=1048576...
            S: a OK CAPABILITY completed
            C: b STATUS INBOX (APPENDLIMIT)
            S: * STATUS INBOX (APPENDLIMIT 1048576)
            S: b OK STATUS completed
            C: c LIST "" INBOX RETURN (STATUS (APPENDLIMIT))
            S: * LIST ...
            S: * STATUS INBOX (APPENDLIMIT 1048576)
            S: c OK LIST completed
            C: d APPEND INBOX {1048577}
            S: d NO [TOOBIG] ...
            """
        )

    def test_status_size(self) -> None:
        self.fill(2)
        self.sign_in()
        self.talk(
            f"""
            C: a STATUS INBOX (SIZE)
            S: * STATUS INBOX (SIZE {run(self.inbox.status()).size})
            S: a OK STATUS completed
            """
        )

    def test_a_backend_that_has_none_of_it(self) -> None:
        """The extensions are left out."""
        announced = Tables.build(STANDARD).announced.split()
        self.assertFalse({b"OBJECTID", b"SAVEDATE"} & {*announced})
        self.assertLessEqual({b"CONDSTORE", b"QRESYNC", b"STATUS=SIZE"}, {*announced})

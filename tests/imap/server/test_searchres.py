"""SEARCHRES (RFC 5182): what a SEARCH saves, and ``$``."""

from __future__ import annotations

from tests.imap.server.dialogue import DialogueTestCase, message


class SavingTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        for number in range(1, 7):
            self.inbox.add(message(f"Number {number}"), ["\\Flagged"] if number in (2, 3, 5) else (), 0)
        self.sign_in(select="INBOX")

    def saved(self, returns: str, keys: str = "FLAGGED", command: str = "SEARCH") -> str:
        """What ``$`` stands for after a search."""
        client = self.clients[""]
        client.send(f"s {command} RETURN ({returns}) {keys}\r\n".encode())
        client.received()
        client.send(b"t UID SEARCH $\r\n")
        return client.received().split(b"\r\n")[0].decode().removeprefix("* SEARCH").strip()

    def test_the_examples_of_the_rfc(self) -> None:
        self.talk(
            """
            C: A282 SEARCH RETURN (SAVE) FLAGGED SINCE 1-Jan-1970
            C: A283 FETCH $ (UID)
            S: A282 OK SEARCH completed
            S: * 2 FETCH (UID 2)
            S: * 3 FETCH (UID 3)
            S: * 5 FETCH (UID 5)
            S: A283 OK FETCH completed
            C: A301 UID SEARCH UID $ SMALLER 4096
            S: * SEARCH 2 3 5
            S: A301 OK UID SEARCH completed
            C: P283 SEARCH CHARSET UTF-8 (OR $ 1,3000:3021) TEXT {6+}
            C: number
            S: * SEARCH 1 2 3 5
            S: P283 OK SEARCH completed
            C: B283 SEARCH RETURN (SAVE) CHARSET KOI8-R (OR $ 1,3000:3021) TEXT {4+}
            C: XXXX
            S: B283 NO [BADCHARSET (US-ASCII UTF-8)] ...
            C: B284 SEARCH $
            S: * SEARCH
            S: B284 OK SEARCH completed
            C: E282 SEARCH RETURN (SAVE) FROM Eric
            C: E283 COPY $ Other
            S: E282 OK SEARCH completed
            S: E283 NO [TRYCREATE] ...
            """
        )

    def test_which_messages_are_saved(self) -> None:
        """The table of RFC 5182 2.4, and that of RFC 9394 3.2."""
        for returns, saved in {
            "SAVE": "2 3 5",
            "SAVE MIN": "2",
            "SAVE MAX": "5",
            "MAX SAVE MIN": "2 5",
            "SAVE MIN ALL": "2 3 5",
            "SAVE MAX COUNT": "2 3 5",
            "SAVE ALL": "2 3 5",
            "SAVE COUNT": "2 3 5",
            "SAVE PARTIAL 2:2": "3",
            "SAVE PARTIAL 2:2 MIN": "2 3",
            "SAVE PARTIAL 2:2 MAX": "3 5",
            "SAVE PARTIAL 2:2 MIN MAX": "2 3 5",
            "SAVE PARTIAL 1:1 COUNT": "2 3 5",
            "SAVE PARTIAL 7:9": "",
            "SAVE PARTIAL -1:-2": "3 5",
        }.items():
            self.assertEqual(self.saved(returns), saved, returns)
            self.assertEqual(self.saved(returns, command="UID SEARCH"), saved, returns)
        self.assertEqual(self.saved("SAVE", "(REVERSE ARRIVAL) UTF-8 NOT 3", "SORT"), "1 2 4 5 6")
        self.assertEqual(self.saved("SAVE", "$ NOT UID $"), "")

    def test_what_does_not_change_it(self) -> None:
        self.saved("SAVE")
        self.talk(
            """
            C: a SEARCH RETURN (SAVE) NONSENSE
            S: a BAD ...
            C: b SEARCH CHARSET X ALL
            S: b NO [BADCHARSET (US-ASCII UTF-8)] ...
            C: c SEARCH RETURN (COUNT) 1
            S: * ESEARCH (TAG "c") COUNT 1
            S: c OK SEARCH completed
            C: d SEARCH 1 $
            S: * SEARCH
            S: d OK SEARCH completed
            C: e UID SEARCH RETURN (ALL) $
            S: * ESEARCH (TAG "e") UID ALL 2:3,5
            S: e OK UID SEARCH completed
            """
        )

    def test_expunged_messages_leave_it_and_new_ones_do_not_come(self) -> None:
        self.saved("SAVE", "2:6")
        self.inbox.remove([1, 3])
        self.fill(2)
        self.talk(
            """
            C: a NOOP
            S: * 8 EXISTS
            S: * 8 RECENT
            S: * 1 EXPUNGE
            S: * 2 EXPUNGE
            S: a OK NOOP completed
            C: b UID SEARCH $
            S: * SEARCH 2 4 5 6
            S: b OK UID SEARCH completed
            C: c STORE $ +FLAGS.SILENT (\\Deleted)
            S: c OK STORE completed
            C: d UID EXPUNGE $
            S: * 1 EXPUNGE
            S: * 1 EXPUNGE
            S: * 1 EXPUNGE
            S: * 1 EXPUNGE
            S: d OK UID EXPUNGE completed
            C: e SEARCH $
            S: * SEARCH
            S: e OK SEARCH completed
            C: f FETCH $ UID
            S: f OK FETCH completed
            """
        )

    def test_another_selection_begins_with_nothing(self) -> None:
        self.saved("SAVE")
        self.talk(
            """
            C: a SELECT INBOX
            ...
            """
        )
        self.clients[""].received()
        self.talk(
            """
            C: b SEARCH $
            S: * SEARCH
            S: b OK SEARCH completed
            C: c FETCH $,1 UID
            S: c BAD ...
            """
        )

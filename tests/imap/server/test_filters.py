"""FILTERS (RFC 5466)."""

from __future__ import annotations

from tests.imap.server.dialogue import DialogueTestCase, message, run


class FilterTests(DialogueTestCase):
    def setUp(self) -> None:
        super().setUp()
        for number in range(1, 5):
            self.inbox.add(message(f"Number {number}"), ["\\Flagged"] if number % 2 else (), 0)
        self.sign_in(select="INBOX")

    def keep(self, name: str, value: str | None) -> None:
        octets = None if value is None else value.encode()
        run(self.account.annotate("", {f"/private/filters/values/{name}": octets}))

    def test_its_keys_take_its_place(self) -> None:
        self.keep("on-the-road", 'OR SUBJECT "2" SUBJECT "3"')
        self.keep("both", "FILTER on-the-road FLAGGED")
        self.keep("word", 'TEXT "Grüße"')
        self.talk(
            """
            C: a SEARCH FILTER on-the-road
            S: * SEARCH 2 3
            S: a OK SEARCH completed
            C: b SEARCH NOT FILTER On-The-Road 1:2
            S: * SEARCH 1
            S: b OK SEARCH completed
            C: c SEARCH OR FILTER both 1
            S: * SEARCH 1 3
            S: c OK SEARCH completed
            C: d UID SORT RETURN (COUNT) (DATE) UTF-8 FILTER both
            S: * ESEARCH (TAG "d") UID COUNT 1
            S: d OK UID SORT completed
            C: e THREAD REFS UTF-8 FILTER both
            S: * THREAD (3)
            S: e OK THREAD completed
            C: f SEARCH FILTER word
            S: * SEARCH
            S: f OK SEARCH completed
            C: g SEARCH RETURN (UPDATE COUNT) FILTER both
            S: * ESEARCH (TAG "g") COUNT 1
            S: g OK SEARCH completed
            C: h STORE 2 +FLAGS.SILENT (\\Flagged)
            S: * ESEARCH (TAG "g") ADDTO (0 2)
            S: h OK STORE completed
            """
        )

    def test_filters_that_are_none(self) -> None:
        self.keep("loop", "FILTER loop")
        self.keep("half", "OR SMALLER")
        self.keep("nothing", "")
        self.keep("literal", "SUBJECT {1}\r\nx")
        self.keep("gone", "ALL")
        self.keep("gone", None)
        self.keep("large", "ALL " * 4096 + "ALL")
        for name in ("none", "loop", "half", "nothing", "literal", "gone", "large"):
            self.talk(
                f"""
                C: a SEARCH RETURN (SAVE) FILTER {name}
                S: a NO [UNDEFINED-FILTER {name}] No such filter
                """
            )

    def test_filters_in_filters(self) -> None:
        self.keep("f0", "2")
        for depth in range(1, 6):
            self.keep(f"f{depth}", f"FILTER f{depth - 1}")
        self.talk(
            """
            C: a SEARCH FILTER f4
            S: * SEARCH 2
            S: a OK SEARCH completed
            C: b SEARCH FILTER f5
            S: b NO [UNDEFINED-FILTER f0] No such filter
            """
        )

    def test_many_uses_are_too_many(self) -> None:
        self.keep("part", "ALL " * 500 + "ALL")
        self.keep("whole", " ".join(["FILTER part"] * 9))
        self.talk(
            """
            C: a SEARCH FILTER whole
            S: a NO [UNDEFINED-FILTER part] No such filter
            """
        )

    def test_charsets_and_names(self) -> None:
        self.talk(
            """
            C: a SEARCH CHARSET KOI8-R FILTER x
            S: a BAD [BADCHARSET (US-ASCII UTF-8)] ...
            C: b SEARCH FILTER a/b
            S: b BAD ...
            C: c SEARCH FILTER "x"
            S: c BAD ...
            C: d SEARCH FILTER
            S: d BAD ...
            """
        )

"""STORE, COPY, MOVE, UID EXPUNGE."""

from mailproto.imap.wire import Copy, Options, SequenceSet, Store, UidExpunge
from mailproto.model import FlagChange, FlagOperation
from tests.imap.wire.feed import WireTestCase

ONE = SequenceSet(((1, 1),))
SET, ADD, REMOVE = FlagOperation.SET, FlagOperation.ADD, FlagOperation.REMOVE


def change(operation: FlagOperation, *flags: str) -> FlagChange:
    return FlagChange(operation, frozenset(flags))


class StoreTests(WireTestCase):
    def test_operations_and_flags(self) -> None:
        self.assert_table(
            {
                b"STORE 1 FLAGS ()": Store(ONE, change(SET)),
                b"STORE 1 +flags (\\seen)": Store(ONE, change(ADD, "\\Seen")),
                b"STORE 1 -FLAGS.SILENT \\DELETED Junk": Store(
                    ONE, change(REMOVE, "\\Deleted", "Junk"), silent=True
                ),
                b"STORE 1 FLAGS (\\Answered \\Flagged \\Draft $Forwarded)": Store(
                    ONE, change(SET, "\\Answered", "\\Flagged", "\\Draft", "$Forwarded")
                ),
                b"STORE 1 (XSINCE 7) +FLAGS x": Store(
                    ONE, change(ADD, "x"), modifiers=Options({"XSINCE": 7})
                ),
                b"STORE 1 (xsince 0) FLAGS.silent ()": Store(ONE, change(SET), True, Options({"XSINCE": 0})),
            }
        )

    def test_a_flag_in_two_cases_is_one_flag(self) -> None:
        self.assert_table({b"STORE 1 FLAGS (Foo foo FOO)": Store(ONE, change(SET, "Foo"))})

    def test_bad(self) -> None:
        self.assert_bad(
            [
                b"STORE 1",
                b"STORE 1 FLAGS",
                b"STORE 1 FLAGS (\\Recent)",
                b"STORE 1 FLAGS (\\*)",
                b"STORE 1 FLAGS (\\Whatever)",
                b"STORE 1 FLAGS (a]b)",
                b'STORE 1 FLAGS ("a")',
                b"STORE 1 FLAGS (a  b)",
                b"STORE 1 FLAGS (a",
                b"STORE 1 *FLAGS (a)",
                b"STORE 1 FLAGS.QUIET (a)",
                b"STORE 1 (XOTHER 7) FLAGS (a)",
                b"STORE 1 (XSINCE x) FLAGS (a)",
            ]
        )


class CopyTests(WireTestCase):
    def test_values(self) -> None:
        self.assert_table(
            {
                b"COPY 1 inbox": Copy(ONE, "INBOX"),
                b"MOVE 1 a": Copy(ONE, "a"),
                b"UID COPY 1 {1+}\r\na": Copy(ONE, "a"),
                b"UID MOVE 1 a": Copy(ONE, "a"),
                b"UID EXPUNGE 1": UidExpunge(ONE),
            }
        )
        self.assertEqual([self.parse(b"UID MOVE 1 a").uid, self.parse(b"MOVE 1 a").uid], [True, False])

    def test_bad(self) -> None:
        self.assert_bad([b"COPY 1", b"COPY a 1", b"UID EXPUNGE", b"EXPUNGE 1", b"UID EXPUNGE x"])

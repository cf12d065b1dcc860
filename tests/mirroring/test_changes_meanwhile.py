"""Both sides are changed by clients while they are mirrored: nothing is lost, doubled or undone."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from mailproto.mirroring._local_side import LocalSide
from mailproto.mirroring._remote_side import RemoteSide
from mailproto.mirroring._state import MailboxState
from mailproto.model import Part
from tests.imap.server.dialogue import run
from tests.mirroring.sides import MirrorTestCase

EXAMPLES = int(os.environ.get("MAILPROTO_MIRROR_EXAMPLES", "15"))
FLAGS = ("\\Seen", "\\Flagged", "$Kept")

STEPS = [
    *[(kind, name) for kind in (LocalSide, RemoteSide) for name in ("append", "change", "remove", "flags")],
    *[(MailboxState, name) for name in ("see", "add", "agree", "forget", "note_next", "finish")],
]

kinds = st.sampled_from(("arrives", "flagged", "unflagged", "removed"))
changes = st.lists(
    st.tuples(st.integers(0, 20), st.integers(0, 1), kinds, st.integers(0, 9), st.sampled_from(FLAGS)),
    min_size=1,
    max_size=8,
)


class Meanwhile:
    """Two mailboxes with mail on both sides, and somebody who changes them at given steps.

    A message's last change of each flag is remembered, and so is whether it was removed: that must hold at
    the end, except where both sides have changed the same flag in turn.
    """

    def __init__(self, without: tuple[str, ...]) -> None:
        self.case = MirrorTestCase("seen_there")
        self.case.without = without
        self.case.setUp()
        self.texts: list[str] = []
        self.removed: set[str] = set()
        self.wanted: dict[tuple[str, str], tuple[set[int], bool]] = {}
        for number in range(6):
            self.arrives(number % 2, "\\Seen" if number % 3 else "$Kept")
        self.case.mirror(both=True)
        self.wanted.clear()
        for number in range(6, 10):
            self.arrives(number % 2, FLAGS[number % 3])
        for side in (0, 1):
            self.change(side, "flagged", side, "\\Flagged")
            self.change(side, "removed", 3 + side, "")

    @property
    def sides(self) -> tuple[Any, Any]:
        return self.case.inbox, self.case.local

    def there(self, side: int) -> dict[str, tuple[int, frozenset[str]]]:
        mailbox = self.sides[side]
        flags = {each.uid: frozenset(each.flags) for each in run(mailbox.changes_since(0)).changed}
        found = {}
        for info in run(mailbox.read(sorted(flags), Part.CONTENT)):
            text = bytes(info.content).split(b"\r\n\r\n")[1].strip().decode()
            assert text not in found, f"{text} is there twice"
            found[text] = (info.uid, flags[info.uid])
        return found

    def arrives(self, side: int, flag: str) -> None:
        text = f"message {len(self.texts)}"
        self.texts.append(text)
        self.case.put(self.sides[side], text, flag)
        for each in FLAGS:
            self.wanted[text, each] = ({side}, each == flag)

    def change(self, side: int, kind: str, number: int, flag: str) -> None:
        if kind == "arrives":
            self.arrives(side, flag)
            return
        there = self.there(side)
        if not there:
            return
        text = sorted(there)[number % len(there)]
        uid, flags = there[text]
        if kind == "removed":
            self.case.delete(self.sides[side], uid)
            self.removed.add(text)
        elif (kind == "flagged") != (flag in flags):
            self.case.flag(self.sides[side], uid, flag, remove=kind == "unflagged")
            sides, _ = self.wanted.get((text, flag), (set(), False))
            self.wanted[text, flag] = (sides | {side}, kind == "flagged")

    def mirror(self, planned: list[tuple[int, int, str, int, str]]) -> None:
        """Mirror, with changes before given steps; and then twice in peace."""
        step = [0]

        def noting(method: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                now, step[0] = step[0], step[0] + 1
                for at, side, kind, number, flag in planned:
                    if at == now:
                        self.change(side, kind, number, flag)
                return method(*arguments)

            return call

        patches = [patch.object(kind, name, noting(getattr(kind, name))) for kind, name in STEPS]
        for each in patches:
            each.start()
        try:
            report = self.case.mirror(both=True)
        finally:
            for each in patches:
                each.stop()
        for _ in range(2):
            report = self.case.mirror(both=True)
            assert report.failures == []
        self.judge()
        assert self.case.mirror(both=True).changes == 0

    def judge(self) -> None:
        ours, theirs = self.there(0), self.there(1)
        assert set(ours) == set(theirs) == {*self.texts} - self.removed, (
            set(ours),
            set(theirs),
            self.removed,
        )
        for text in ours:
            flags = ours[text][1], theirs[text][1]
            assert flags[0] == flags[1], (text, flags)
            for flag in FLAGS:
                sides, wanted = self.wanted.get((text, flag), (set(), False))
                if len(sides) == 1:
                    assert (flag in flags[0]) == wanted, (text, flag, wanted)

    def close(self) -> None:
        self.case.doCleanups()


class MeanwhileTests(SynchronousTestCase):
    @settings(max_examples=EXAMPLES)
    @given(changes, st.sampled_from(((), ("QRESYNC",), ("QRESYNC", "CONDSTORE", "UIDPLUS", "IMAP4REV2"))))
    def test_any_changes_at_any_step(
        self, planned: list[tuple[int, int, str, int, str]], without: tuple[str, ...]
    ) -> None:
        meanwhile = Meanwhile(without)
        try:
            meanwhile.mirror(planned)
        finally:
            meanwhile.close()

    def test_a_flag_that_is_taken_away_just_before_others_are_changed(self) -> None:
        """It is not set again, although the source has it."""
        for without in ((), ("QRESYNC", "CONDSTORE")):
            for side in (0, 1):
                for step in range(0, 12, 2):
                    with self.subTest(without=without, side=side, step=step):
                        meanwhile = Meanwhile(without)
                        planned = [
                            (step, side, kind, number, flag)
                            for number in range(8)
                            for kind, flag in (("unflagged", "\\Seen"), ("flagged", "$Kept"))
                        ]
                        try:
                            meanwhile.mirror(planned)
                        finally:
                            meanwhile.close()

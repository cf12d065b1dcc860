"""Any changes on both sides, and crashes at any step: both sides are as a model says."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test
from twisted.trial.unittest import SynchronousTestCase

from mailproto.mirroring._local_side import LocalSide
from mailproto.mirroring._remote_side import RemoteSide
from mailproto.mirroring._state import MailboxState
from mailproto.model import Part
from tests.imap.server.dialogue import run
from tests.mirroring.sides import MirrorTestCase

STEPS = [
    *[(side, name) for side in (LocalSide, RemoteSide) for name in ("append", "change", "remove")],
    *[(MailboxState, name) for name in ("add", "agree", "forget", "note_next", "finish", "begin_anew")],
]
EXAMPLES = int(os.environ.get("MAILPROTO_MIRROR_EXAMPLES", "15"))
FLAGS = ("\\Seen", "\\Flagged", "$Kept", "$Other")

some_flags = st.sets(st.sampled_from(FLAGS))


class Crash(BaseException):
    """The process is gone."""


class Message:
    """What is known of a message: its flags on both sides (None: it is not there), and as agreed."""

    def __init__(self, text: str, flags: set[str], side: int) -> None:
        self.text = text
        self.flags: list[set[str] | None] = [None, None]
        self.flags[side] = set(flags)
        self.agreed: set[str] | None = None

    def mirror(self) -> None:
        one, other = self.flags
        if one is None and other is None:
            return
        if self.agreed is None:
            merged = (one or set()) | (other or set())
        elif one is None or other is None:
            self.flags = [None, None]
            return
        else:
            merged = {
                flag
                for flag in FLAGS
                if ((flag in one) if (flag in one) == (flag in other) else flag not in self.agreed)
            }
        self.flags = [set(merged), set(merged)]
        self.agreed = set(merged)


class Changes(RuleBasedStateMachine):
    """Both ways, with one kind of server."""

    without: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        self.case = MirrorTestCase("seen_there")
        self.case.without = self.without
        self.case.setUp()
        self.messages: list[Message] = []
        self.count = 0

    def teardown(self) -> None:
        self.case.doCleanups()

    @property
    def sides(self) -> tuple[Any, Any]:
        return self.case.inbox, self.case.local

    def uid_of(self, side: int, message: Message) -> int:
        mailbox = self.sides[side]
        uids = [each.uid for each in run(mailbox.changes_since(0)).changed]
        wanted = f"\r\n\r\n{message.text}\r\n".encode()
        [found] = [
            info.uid for info in run(mailbox.read(uids, Part.CONTENT)) if bytes(info.content).endswith(wanted)
        ]
        uid: int = found
        return uid

    def chosen(self, side: int, number: int) -> Message | None:
        there = [each for each in self.messages if each.flags[side] is not None]
        return there[number % len(there)] if there else None

    @rule(side=st.integers(0, 1), flags=some_flags)
    def arrives(self, side: int, flags: set[str]) -> None:
        self.count += 1
        message = Message(f"message {self.count}", flags, side)
        self.messages.append(message)
        self.case.put(self.sides[side], message.text, *flags)

    @precondition(lambda self: self.messages)
    @rule(
        side=st.integers(0, 1), number=st.integers(0, 20), flag=st.sampled_from(FLAGS), remove=st.booleans()
    )
    def is_flagged(self, side: int, number: int, flag: str, remove: bool) -> None:
        if message := self.chosen(side, number):
            self.case.flag(self.sides[side], self.uid_of(side, message), flag, remove=remove)
            flags = message.flags[side]
            assert flags is not None
            (flags.discard if remove else flags.add)(flag)

    @precondition(lambda self: self.messages)
    @rule(side=st.integers(0, 1), number=st.integers(0, 20))
    def is_removed(self, side: int, number: int) -> None:
        if message := self.chosen(side, number):
            self.case.delete(self.sides[side], self.uid_of(side, message))
            message.flags[side] = None

    @rule()
    def are_mirrored(self) -> None:
        self.case.mirror(both=True)
        self.are_equal()

    @rule(step=st.integers(0, 12), after=st.booleans())
    def are_mirrored_after_a_crash(self, step: int, after: bool) -> None:
        left = [step]

        def crashing(method: Callable[..., Any]) -> Callable[..., Any]:
            def call(*arguments: Any) -> Any:
                left[0] -= 1
                if left[0] == -1 and not after:
                    raise Crash
                result = method(*arguments)
                if left[0] == -1 and after:
                    if hasattr(result, "__await__"):
                        return crash_after(result)
                    raise Crash
                return result

            return call

        async def crash_after(awaitable: Any) -> None:
            await awaitable
            raise Crash

        originals = [(kind, name, getattr(kind, name)) for kind, name in STEPS]
        for kind, name, method in originals:
            setattr(kind, name, crashing(method))
        try:
            self.case.mirror(both=True)
        except Crash:
            pass
        finally:
            for kind, name, method in originals:
                setattr(kind, name, method)
        self.case.link.pump()
        self.case.mirror(both=True)
        self.are_equal()

    def are_equal(self) -> None:
        for message in self.messages:
            message.mirror()
        self.messages = [each for each in self.messages if each.flags[0] is not None]
        expected = sorted((each.text, tuple(sorted(each.flags[0] or ()))) for each in self.messages)
        for found in self.case.seen_there():
            texts = sorted((octets.split(b"\r\n\r\n")[1].strip().decode(), flags) for octets, flags in found)
            assert texts == expected, (texts, expected)


class ChangesWithoutQresync(Changes):
    without = ("QRESYNC",)


class ChangesWithoutModseqs(Changes):
    without = ("QRESYNC", "CONDSTORE", "MULTIAPPEND", "IMAP4REV2", "UIDPLUS", "MOVE")


class AnyChangesTests(SynchronousTestCase):
    def test_with_qresync(self) -> None:
        self.check(Changes)

    def test_with_condstore(self) -> None:
        self.check(ChangesWithoutQresync)

    def test_with_flags_only(self) -> None:
        self.check(ChangesWithoutModseqs)

    def test_a_crash_at_each_step(self) -> None:
        """Before it and after it, with everything to be done on both sides."""
        for after in (False, True):
            for machine in (Changes, ChangesWithoutModseqs):
                for step in range(16):
                    with self.subTest(machine=machine, step=step, after=after):
                        self.crash(machine(), step, after)

    def crash(self, changes: Changes, step: int, after: bool) -> None:
        for side in (0, 1):
            for flags in ({"\\Seen"}, {"$Kept"}, set[str]()):
                changes.arrives(side, flags)
        changes.are_mirrored()
        for side in (0, 1):
            changes.arrives(side, {"\\Flagged"})
            changes.arrives(side, {"$Kept"})
            changes.is_flagged(side, 1 + side, "\\Seen", False)
            changes.is_flagged(side, side, "$Kept", True)
            changes.is_removed(side, 4 - side)
        changes.are_mirrored_after_a_crash(step, after)
        changes.teardown()

    def check(self, machine: type[Changes]) -> None:
        many = settings(max_examples=EXAMPLES, stateful_step_count=20, deadline=None)
        run_state_machine_as_test(machine, settings=many)

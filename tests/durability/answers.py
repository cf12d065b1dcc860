"""What a store must hold, and what it may, after what `load` said that it was answered."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from mailproto.backends import SQLiteStore
from mailproto.errors import NoSuchMailbox
from mailproto.interfaces import IMailbox
from mailproto.model import AppendedMessage, NewMessage, Part, Placement
from mailproto.testing._queue_fixture import DOMAIN, NOW
from tests.durability.load import ACCOUNTS, BOX, COPIES, TREE, content_of, mark_of

__all__ = ["Answers", "check"]


@dataclass
class _Box:
    """What is known of a mailbox."""

    must: set[str] = field(default_factory=set)  # marks
    may: set[str] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)
    must_copies: dict[int, str] = field(default_factory=dict)
    may_copies: set[str] = field(default_factory=set)
    marks: dict[int, str] = field(default_factory=dict)
    flags: dict[int, list[frozenset[str]]] = field(default_factory=dict)
    flags_at: dict[int, int] = field(default_factory=dict)
    modseq: int = 0

    def told(self, uid: int, mark: str) -> None:
        if self.marks.setdefault(uid, mark) != mark:
            raise AssertionError(f"UID {uid} was {self.marks[uid]}, and is {mark}")


class Answers:
    """What was begun and answered until some moment."""

    def __init__(self, lines: Iterable[bytes]) -> None:
        self.boxes: defaultdict[str, _Box] = defaultdict(_Box)
        self.made: set[str] = set()
        self.accounts: list[dict[str, str]] = [{}]
        self.tree: list[set[str]] = [set()]
        self.validity: dict[str, int] = {}
        self.moving: dict[str, tuple[str, str]] = {}  # marks that are in one of two mailboxes
        self.queued: set[str] = set()  # marks that must be in the queue
        self.may_be_queued: set[str] = set()
        self.answered = 0
        self._begun: dict[int, dict[str, Any]] = {}
        for line in lines:
            self._hear(json.loads(line))

    def _hear(self, what: dict[str, Any]) -> None:
        if "began" in what:
            self._begun[what["began"]] = what
            self._began(what)
        elif "answered" in what:
            self.answered += 1
            self._answered(self._begun.pop(what["answered"]), what["result"])
        elif "refused" in what:
            raise AssertionError(f"refused: {self._begun[what['refused']]}: {what['error']}")
        elif "saw" in what:
            box = self.boxes[what["saw"]]
            box.modseq = max(box.modseq, what["modseq"])
            for uid, mark in what["uids"].items():
                box.told(int(uid), mark)
                box.flags[int(uid)] = [frozenset(what["flags"][uid])]
        elif "validity" in what:
            name, validity = what["validity"], what["is"]
            if self.validity.setdefault(name, validity) > validity:
                raise AssertionError(f"{name}: UIDVALIDITY was {self.validity[name]}, and is {validity}")
            self.validity[name] = validity
        elif "started" in what:
            # Whatever was not answered before was done or not, and stays so.
            self._begun.clear()

    def _began(self, what: dict[str, Any]) -> None:
        if "queue" in what:
            self.may_be_queued.add(what["queue"])
        if "settle" in what:
            self.queued.discard(what["settle"])
        elif "put" in what:
            for name in what["boxes"]:
                self.boxes[name].may.add(what["put"])
        elif "append" in what:
            self.boxes[what["box"]].may |= set(what["append"])
        elif "copy" in what:
            self.boxes[what["box"]].may_copies |= set(what["copy"].values())
        elif "move" in what:
            marks = set(what["move"].values())
            self.boxes[what["box"]].may_copies |= marks
            self.boxes[what["source"]].must -= marks
            self.moving.update(dict.fromkeys(marks, (what["source"], what["box"])))
        elif "expunge" in what:
            self.boxes[what["box"]].must -= set(what["expunge"].values())
            for mark in what["expunge"].values():
                self.moving.pop(mark, None)
        elif "flag" in what:
            box = self.boxes[what["box"]]
            for uid in map(int, what["uids"]):
                box.flags[uid].append(frozenset(what["flag"]))
        elif "accounts" in what:
            self.accounts.append(what["accounts"])
        elif "tree" in what:
            self.tree.append(set(what["tree"]))

    def _answered(self, what: dict[str, Any], result: Any) -> None:
        if "queue" in what:
            self.queued.add(what["queue"])
        if "settle" in what:
            self.may_be_queued.discard(what["settle"])
        elif "made" in what:
            self.made.add(what["made"])
        elif "put" in what:
            for name, is_there in zip(what["boxes"], result, strict=True):
                if not is_there:
                    raise AssertionError(f"refused: {what}")
                # Another client may have seen it, and removed it, before the answer was said.
                box = self.boxes[name]
                if what["put"] not in box.marks.values():
                    box.must.add(what["put"])
        elif "append" in what:
            box = self.boxes[what["box"]]
            for mark, (uid, modseq) in zip(what["append"], result, strict=True):
                if uid not in box.marks:
                    box.must.add(mark)
                box.told(uid, mark)
                box.modseq = max(box.modseq, modseq)
                if uid not in box.flags:
                    box.flags[uid], box.flags_at[uid] = [frozenset(what["flags"])], modseq
        elif "copy" in what:
            box = self.boxes[what["box"]]
            for source, target in result:
                box.told(target, what["copy"][str(source)])
                box.must_copies[target] = what["copy"][str(source)]
        elif "move" in what:
            source, target = self.boxes[what["source"]], self.boxes[what["box"]]
            for from_uid, uid in result:
                mark = what["move"][str(from_uid)]
                target.told(uid, mark)
                target.must_copies[uid] = mark
                source.gone.add(from_uid)
                source.may.discard(mark)
                self.moving.pop(mark, None)
        elif "expunge" in what:
            box = self.boxes[what["box"]]
            box.gone |= set(result)
            box.may -= {what["expunge"][str(uid)] for uid in result}
        elif "flag" in what:
            box = self.boxes[what["box"]]
            for uid, modseq in result:
                box.flags[uid] = box.flags[uid][-1:]
                box.flags_at[uid] = modseq
                box.modseq = max(box.modseq, modseq)
        elif "accounts" in what:
            self.accounts = [what["accounts"]]
        elif "tree" in what:
            self.tree = [set(what["tree"])]


async def check(store: SQLiteStore, answers: Answers) -> None:
    """See that the store holds what was answered, and goes on well.

    :raises AssertionError: it does not.
    """
    names = set(await store.directory.names())
    for made in answers.made:
        account, _, box = made.partition("/")
        assert account in names, f"account {account} is lost"
        if box:
            await (await store.account(account)).open(box)
    for name in (*ACCOUNTS, TREE):
        if name not in names:
            return  # it was cut while all began
    there: dict[str, set[str]] = {}
    for name in ACCOUNTS:
        account = await store.account(name)
        for each in ("INBOX", BOX, COPIES):
            where = f"{name}/{each}"
            try:
                box = await account.open(each)  # type: ignore[attr-defined]
            except NoSuchMailbox:
                assert where not in answers.made
                continue
            try:
                there[where] = await _check_box(box, answers.boxes[where])
                await _check_that_it_goes_on(store, name, box, answers.boxes[where])
            except AssertionError as error:
                raise AssertionError(f"{where}: {error}") from error
    for mark, (source, target) in answers.moving.items():
        assert mark in there.get(source, ()) or mark in there.get(target, ()), f"{mark} was moved nowhere"
    await _check_queue(store, answers)
    records = {
        each: await store.directory.password_hash(each) for each in sorted(names) if each.startswith("u")
    }
    assert records in answers.accounts, f"accounts are {records}, and were to be {answers.accounts}"
    tree = await store.account(TREE)
    names = {entry.name for entry in await tree.list() if entry.name.startswith("t")}
    assert names in answers.tree, f"mailboxes are {names}, and were to be {answers.tree}"
    for each in names:
        validity = (await tree.open(each)).uid_validity
        assert validity >= answers.validity.get(each, 0), f"UIDVALIDITY of {each} went back"


async def _check_box(box: IMailbox, known: _Box) -> set[str]:
    changes = await box.changes_since(0)
    uids = [message.uid for message in changes.changed]
    assert changes.modseq >= known.modseq, f"MODSEQ was {known.modseq}, and is {changes.modseq}"
    infos = await box.read(uids, Part.CONTENT | Part.SIZE | Part.ENVELOPE | Part.BODY_STRUCTURE)
    marks = {info.uid: mark_of(bytes(info.content or b"")) for info in infos}
    assert sorted(marks) == uids
    assert not known.gone & set(uids), f"{known.gone & set(uids)} were removed, and are back"
    for uid, mark in marks.items():
        known.told(uid, mark)
    if known.must_copies or known.may_copies:
        lost = known.must_copies.items() - marks.items()
        assert not lost, f"lost copies: {lost}"
        assert set(marks.values()) <= known.may_copies
    else:
        there = list(marks.values())
        assert len(there) == len(set(there)), f"doubled: {sorted(there)}"
        assert known.must <= set(there), f"answered, and lost: {known.must - set(there)}"
        assert set(there) <= known.may, f"came from nowhere: {set(there) - known.may}"
    for message in changes.changed:
        if wanted := known.flags.get(message.uid):
            assert message.flags in wanted, f"{message} was to have one of {wanted}"
            assert message.modseq >= known.flags_at.get(message.uid, 0), f"{message}: MODSEQ went back"
    status = await box.status()
    assert (status.messages, status.size) == (len(uids), sum(info.size or 0 for info in infos)), status
    assert status.uid_next > max(known.marks, default=0), f"UIDNEXT {status.uid_next}"
    return set(marks.values())


async def _check_queue(store: SQLiteStore, answers: Answers) -> None:
    """See what is in the queue: all of it can be leased by somebody else, much later."""
    leases = await store.queue.lease(DOMAIN, now=NOW + 1e9, until=NOW + 2e9, messages=10_000, recipients=1)
    there = [mark_of(bytes(lease.message.content or b"")) for lease in leases]
    assert len(there) == len(set(there)), f"doubled in the queue: {sorted(there)}"
    assert answers.queued <= set(there), f"queued, and lost: {answers.queued - set(there)}"
    assert set(there) <= answers.may_be_queued, f"is back: {set(there) - answers.may_be_queued}"


async def _check_that_it_goes_on(store: SQLiteStore, name: str, box: IMailbox, known: _Box) -> None:
    """New messages have UIDs and MODSEQs that nothing was told of."""
    mark = f"after-{name}-{box.name}"
    last = (await box.status()).modseq
    if box.name == "INBOX":
        [delivered] = await store.deliver(content_of(mark), [Placement(name)])
        assert isinstance(delivered, AppendedMessage), delivered
        [new] = (await box.changes_since(last)).changed
        uid, modseq = new.uid, new.modseq
    else:
        [appended] = await box.append([NewMessage(content_of(mark))])
        uid, modseq = appended.uid, appended.modseq
    assert uid > max(known.marks, default=0), f"UID {uid} comes again"
    assert modseq > known.modseq, f"MODSEQ {modseq} comes again"

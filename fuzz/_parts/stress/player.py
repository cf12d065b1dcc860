"""A client that signs in, does this and that, and signs out, again and again."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import dataclass

from _parts.stress.actions import FLAGS, Actions
from _parts.stress.connection import Answer, Command, Connection
from _parts.stress.mirror import Known, Mirror
from _parts.stress.responses import ranges
from _parts.stress.world import Box, World

__all__ = ["Player"]

MOST = 60
"""Messages of a mailbox after which clients rather delete."""

NOTIFY = b"NOTIFY SET (%b (MessageNew MessageExpunge FlagChange))"
"""With it, changes are told between commands, too."""

SETTLING = 0.5
"""Seconds in which the server ends the commands of a client that has hung up."""

ENABLED = (
    (), (), ("CONDSTORE",), ("QRESYNC",), ("IMAP4rev2",), ("IMAP4rev2", "QRESYNC"),
    ("UIDONLY",), ("CONDSTORE", "UIDONLY"), ("QRESYNC", "UIDONLY"),
)  # fmt: skip

_sessions = itertools.count(1)


@dataclass
class _Kept:
    """What a client keeps of a mailbox that it has left."""

    validity: int
    modseq: int
    messages: dict[int, Known]


class Player:
    """One client.

    :param login: user and password.
    :ivar connection: None while it is not signed in.
    """

    def __init__(self, world: World, number: int, address: tuple[str, int], login: tuple[str, str]) -> None:
        self.world = world
        self.chance = world.chance
        self.name = f"c{number}x"
        self.keyword = b"own%d" % number
        self.address = address
        self.login = login
        self.connection: Connection | None = None
        self._enabled: set[str] = set()
        self._kept: dict[str, _Kept] = {}

    @property
    def mirror(self) -> Mirror | None:
        """Of the selected mailbox."""
        return None if self.connection is None else self.connection.mirror

    async def step(self) -> None:
        """Do something."""
        try:
            if self.connection is None:
                await self._sign_in()
            elif self.mirror is None:
                await self._unselected(self.connection)
            else:
                await self._selected(self.connection, self.mirror)
        except (EOFError, ConnectionError, TimeoutError, ValueError) as error:
            talk = () if self.connection is None else self.connection.talk
            self.world.contradiction(f"{self.name}: {error!r}", talk)
            self._leave()

    async def _sign_in(self) -> None:
        connection = Connection(self.world, self.name)
        await connection.open(*self.address)
        self.connection = connection
        user, password = (part.encode() for part in self.login)
        await connection.do(Command("LOGIN", (b'LOGIN "%b" "%b"' % (user, password),)))
        if self.chance.random() < 0.2:
            await connection.compress()
        self._enabled = set(self.chance.choice(ENABLED))
        for name in sorted(self._enabled):
            await connection.do(Command("ENABLE", (b"ENABLE " + name.encode(),)))
        if self.chance.random() < 0.3:
            kind = self.chance.choice((b"SELECTED", b"SELECTED-DELAYED"))
            connection.expunges_any_time = kind == b"SELECTED"
            await connection.do(Command("NOTIFY", (NOTIFY % kind,)))

    def _leave(self) -> None:
        if self.connection is not None:
            self._keep()
            self.connection.abandon()
        self.connection = None

    async def _unselected(self, connection: Connection) -> None:
        chosen = self.chance.random()
        if chosen < 0.6:
            await self.select(connection, self.world.boxes[self.chance.choice(list(self.world.boxes))])
        elif chosen < 0.9:
            await connection.do(self._elsewhere())
        else:
            await self._sign_out(connection)

    async def _sign_out(self, connection: Connection) -> None:
        self._keep()
        connection.mirror = None
        if self.chance.random() < 0.5:
            connection.leaving = True
            answer = (await connection.do(Command("LOGOUT", (b"LOGOUT",))))[0]
            if not any(values[0] == b"BYE" for values in answer.untagged):
                connection.wrong("LOGOUT without BYE")
        connection.abandon()
        self.connection = None

    async def _selected(self, connection: Connection, mirror: Mirror) -> None:
        chosen = self.chance.random()
        # If messages may go at any time, the client cannot know what a number means.
        uids = mirror.uids_only or connection.expunges_any_time
        modseqs = bool(self._enabled & {"CONDSTORE", "QRESYNC"})
        actions = Actions(self.world, mirror, modseqs=modseqs, uids=uids)
        # VANISHED tells of UIDs that the client has to know.
        is_short = mirror.vanished_only and len(mirror.uids()) < len(mirror.messages)
        if mirror.unknown or (uids and mirror.messages and (is_short or not mirror.uids())):
            await self._learn_uids(connection, mirror)
        elif is_short:
            await connection.do(Command("FETCH", (b"FETCH 1:* (UID FLAGS)",), holds_expunges=True))
        elif mirror.suspects or chosen < 0.08:
            name = self.chance.choice((b"NOOP", b"CHECK"))
            await connection.do(Command(name.decode(), (name,)))
            mirror.check_suspects()
        elif chosen < 0.12:
            await connection.idle(self.chance.choice((0, 0, 0.01, 0.05)))
        elif chosen < 0.18:
            await connection.do(self._elsewhere())
        elif chosen < 0.24:
            await self._close(connection)
        elif chosen < 0.26:
            await self._sign_out(connection)
        elif chosen < 0.27 and mirror.messages:
            await connection.break_off(self.chance.randint(0, 5), *self._several(actions))
            self._leave()
            await asyncio.sleep(SETTLING)
        elif len(mirror.messages) < MOST and (
            chosen < 0.27 + self.world.mixture.arrivals or not mirror.messages
        ):
            await connection.do(self._append())
        elif mirror.messages:
            await connection.do(*self._several(actions))

    async def _learn_uids(self, connection: Connection, mirror: Mirror) -> None:
        """Ask for all UIDs; messages that come meanwhile are told of, too."""
        await connection.do(Command("UID FETCH", (b"UID FETCH 1:* (FLAGS)",)))
        if mirror.quiet and mirror.unknown:
            mirror.wrong(f"EXISTS counts {mirror.unknown} messages that FETCH does not tell")

    def _several(self, actions: Actions) -> list[Command]:
        """Commands that may be sent without waiting: none but the last may change numbers."""
        commands = [actions.any()]
        while commands[-1].holds_expunges and self.chance.random() < 0.3:
            commands.append(actions.any())
        return commands

    def _append(self) -> Command:
        box = self.chance.choice(list(self.world.boxes.values()))
        least = box.uid_next
        octets = b"APPEND %b" % box.name.encode()
        parts = []
        waits = self.chance.random() < 0.3
        for _ in range(self.chance.choice((1, 1, 1, 3))):
            flags = b" (%b)" % b" ".join(self.chance.sample(FLAGS, 2)) if self.chance.random() < 0.5 else b""
            content = self.world.new_message()
            octets += flags + b" {%d%b}" % (len(content), b"" if waits else b"+")
            if waits:
                parts.append(octets)
                octets = content
            else:
                octets += b"\r\n" + content
        parts.append(octets)

        def check(answer: Answer) -> None:
            code, argument = answer.code
            if code == b"APPENDUID":
                validity, uids = argument.split(b" ")
                first = int(uids.split(b":")[0].split(b",")[0])
                if box.validity and (int(validity) != box.validity or first < least):
                    self.world.contradiction(f"{self.name}: {answer.text!r}, but UIDNEXT was {least}")

        return Command("APPEND", parts, check=check)

    def _elsewhere(self) -> Command:
        """Commands about mailboxes."""
        box = self.chance.choice(list(self.world.boxes.values()))
        scratch = f"tmp/{self.chance.randrange(5)}"
        other = f"tmp/{self.chance.randrange(5)}"
        name = self.chance.choice(
            ("STATUS", "STATUS", "LIST", "CREATE", "DELETE", "RENAME", "SUBSCRIBE", "NAMESPACE")
        )
        arguments = {
            "STATUS": f"{box.name} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)",
            "LIST": '"" * RETURN (STATUS (MESSAGES UIDNEXT) CHILDREN SPECIAL-USE)',
            "CREATE": scratch,
            "DELETE": scratch,
            "RENAME": f"{scratch} {other}",
            "SUBSCRIBE": box.name,
            "NAMESPACE": "",
        }
        least, modseq = box.uid_next, box.modseq

        def check(answer: Answer) -> None:
            for values in answer.untagged:
                if values[0] == b"STATUS" and name == "STATUS":
                    status = dict(zip(values[2][::2], map(int, values[2][1::2]), strict=True))
                    self._status(box, status, least, modseq)

        octets = f"{name} {arguments[name]}".strip().encode()
        fails = (b"NONEXISTENT", b"ALREADYEXISTS", b"CANNOT", b"HASCHILDREN")
        return Command(
            name, (octets,), check=check, may_fail=fails if name in ("CREATE", "DELETE", "RENAME") else ()
        )

    def _status(self, box: Box, status: dict[bytes, int], least: int, modseq: int) -> None:
        if box.validity and status[b"UIDVALIDITY"] != box.validity:
            self.world.contradiction(f"{self.name}: UIDVALIDITY of {box.name} changed")
        if status[b"UIDNEXT"] < least or status[b"HIGHESTMODSEQ"] < modseq:
            self.world.contradiction(f"{self.name}: {status} of {box.name} after {least} and {modseq}")
        box.uid_next = max(box.uid_next, status[b"UIDNEXT"])
        box.modseq = max(box.modseq, status[b"HIGHESTMODSEQ"])

    async def select(self, connection: Connection, box: Box, *, closes: bool = False) -> None:
        """SELECT or EXAMINE; with QRESYNC, what is kept of the mailbox is brought up to date.

        :param closes: whether another mailbox is selected.
        """
        examine = self.chance.random() < 0.1
        kept = self._kept.get(box.name) if "QRESYNC" in self._enabled else None
        options = b" (CONDSTORE)" if "CONDSTORE" in self._enabled else b""
        mirror = Mirror(self.world, box, next(_sessions), self.keyword, connection.talk)
        connection.mirror, connection.opening = (None, mirror) if closes else (mirror, None)
        mirror.read_only = examine
        mirror.uids_only = "UIDONLY" in self._enabled
        mirror.vanished_only = mirror.uids_only or "QRESYNC" in self._enabled
        if kept is not None:
            options = b" (QRESYNC (%d %d))" % (kept.validity, kept.modseq)
            mirror.resume(kept.messages)
        least = box.uid_next
        verb = b"EXAMINE" if examine else b"SELECT"
        answer = (await connection.do(Command("SELECT", (b"%b %b%b" % (verb, box.name.encode(), options),))))[
            0
        ]
        codes = dict(
            values[1][1:].partition(b"]")[0].split(b" ", 1)
            for values in answer.untagged
            if values[0] == b"OK"
            and values[1].startswith((b"[UIDVALIDITY ", b"[UIDNEXT ", b"[HIGHESTMODSEQ "))
        )
        validity, uid_next = int(codes[b"UIDVALIDITY"]), int(codes[b"UIDNEXT"])
        if box.validity not in (0, validity) or uid_next < least:
            connection.wrong(f"{codes} of {box.name} after {box.validity} and {least}")
        box.validity, box.uid_next = validity, max(box.uid_next, uid_next)
        if kept is not None:
            mirror.resumed()
            # Whatever is new was told of, so that this can tell nothing that is not known.
            await connection.do(Command("UID FETCH", (b"UID FETCH 1:* (FLAGS)",)))
            self._compare(mirror, kept)
        elif self.chance.random() < 0.7 or mirror.vanished_only:
            await connection.do(Command("UID FETCH", (b"UID FETCH 1:* (FLAGS)",)))

    def _compare(self, mirror: Mirror, kept: _Kept) -> None:
        """Messages that did not change since are as they were kept."""
        for known in mirror.messages:
            old = None if known.uid is None else kept.messages.get(known.uid)
            if old is not None and old.flags is not None and known.flags != old.flags and not known.modseq:
                mirror.wrong(
                    f"QRESYNC did not tell that UID {known.uid} has changed: {old.flags}, {known.flags}"
                )

    def _keep(self) -> None:
        mirror = self.mirror
        if mirror is not None and "QRESYNC" in self._enabled and mirror.box.validity and mirror.modseq:
            messages = {known.uid: known for known in mirror.messages if known.uid is not None}
            if len(messages) == len(mirror.messages):
                self._kept[mirror.box.name] = _Kept(mirror.box.validity, mirror.modseq, messages)

    async def _close(self, connection: Connection) -> None:
        self._keep()
        connection.mirror = None
        name = self.chance.choice((b"CLOSE", b"UNSELECT", b""))
        if name:
            await connection.do(Command(name.decode(), (name,)))
        else:
            await self.select(connection, self.chance.choice(list(self.world.boxes.values())), closes=True)

    async def checkpoint(self) -> None:
        """While nobody does anything: what is known after NOOP is what FETCH tells."""
        connection, mirror = self.connection, self.mirror
        if connection is None or mirror is None:
            return
        await connection.do(Command("NOOP", (b"NOOP",)))
        mirror.check_suspects()
        mirror.quiet = True
        modseqs = " MODSEQ" if self._enabled & {"CONDSTORE", "QRESYNC"} else ""
        if mirror.uids_only or connection.expunges_any_time:
            await self._learn_uids(connection, mirror)
        elif mirror.messages:
            octets = f"FETCH {ranges(list(range(1, len(mirror.messages) + 1)))} (UID FLAGS{modseqs})".encode()
            await connection.do(Command("FETCH", (octets,)))
        await asyncio.sleep(0)

    def end_of_checkpoint(self) -> None:
        """Others may change the mailbox again."""
        if self.mirror is not None:
            self.mirror.quiet = False

    async def prepare(self) -> None:
        """Make the mailboxes that all use."""
        await self._sign_in()
        assert self.connection is not None
        for name in self.world.boxes:
            await self.connection.do(Command("CREATE", (b"CREATE " + name.encode(),), may_fail=(b"",)))
        await self.end()

    async def end(self) -> None:
        """Sign out."""
        if self.connection is not None:
            await self._sign_out(self.connection)

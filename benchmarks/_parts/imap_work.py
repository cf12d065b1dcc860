"""The work of `imap.py`, which any IMAP server can do."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator, Awaitable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, NamedTuple

from _parts.guard import below
from _parts.imap_client import Client
from _parts.letters import NAMES, RARE, TOPICS, Letter
from _parts.processes import cpu_seconds_below, memory
from _parts.program import expect

__all__ = ["DOMAIN", "PASSWORD", "Figure", "Work"]

DOMAIN, PASSWORD = "localhost", "secret"


class Figure(NamedTuple):
    """A measurement, and the processor seconds of the server meanwhile."""

    value: float
    cpu: float


class Work:
    """What is done with one server.

    :param port: where it listens.
    :param pid: of its first process.
    :param accounts: their names, at `DOMAIN`; each has the `PASSWORD`.
    :param found: takes the figures, by the names of rows.
    """

    def __init__(self, port: int, pid: int, accounts: Sequence[str], found: dict[str, list[Figure]]) -> None:
        self._port = port
        self._accounts = accounts
        self._pid = pid
        self._found = found

    async def settled(self, seconds: int) -> None:
        """Wait until the server has nothing left to do, but not for long."""
        for _ in range(2 * seconds):
            before = cpu_seconds_below(self._pid)
            await asyncio.sleep(0.5)
            if cpu_seconds_below(self._pid) - before < 0.05:
                return

    async def timed(self, work: Awaitable[Any]) -> tuple[float, float, Any]:
        """Seconds, processor seconds and the result of some work."""
        cpu, began = cpu_seconds_below(self._pid), time.perf_counter()
        result = await work
        return time.perf_counter() - began, cpu_seconds_below(self._pid) - cpu, result

    def note(self, row: str, value: float, cpu: float) -> None:
        """Keep a figure."""
        self._found[row].append(Figure(value, cpu))

    async def open(self, account: int = 0, mailbox: str = "") -> Client:
        """Sign in."""
        name = f"{self._accounts[account % len(self._accounts)]}@{DOMAIN}"
        return await Client.open(self._port, name, PASSWORD, mailbox)

    async def append(self, mail: Sequence[Letter]) -> None:
        """APPEND, each message for itself."""
        for connections in (1, 10):
            clients = [await self.open(at) for at in range(connections)]
            for client in clients:
                await client.command("CREATE Appended")
            shares = [[each.octets for each in mail[at::connections]] for at in range(connections)]
            everything = asyncio.gather(
                *(client.append("Appended", share) for client, share in zip(clients, shares, strict=True))
            )
            seconds, cpu, _ = await self.timed(everything)
            self.note(f"append-{connections}", len(mail) / seconds, cpu)
            for client, share in zip(clients, shares, strict=True):
                status = await client.command("STATUS Appended (MESSAGES)")
                expect("messages appended", b"(MESSAGES %d)" % len(share) in status, True)
                await client.command("DELETE Appended")
                await client.close()

    async def mailbox(self, mail: Sequence[Letter]) -> None:
        """All that is done with a mailbox."""
        client = await self.open()
        await client.command("CREATE Filled")
        filling = client.append("Filled", [each.octets for each in mail], together=50, ahead=4)
        seconds, cpu, _ = await self.timed(filling)
        self.note("multiappend", len(mail) / seconds, cpu)
        await client.close()
        items = "(UID FLAGS ENVELOPE BODYSTRUCTURE INTERNALDATE RFC822.SIZE)"
        for row in ("metadata-first", *["metadata-again"] * 3, *["body"] * 3):
            async with self._selected() as client:
                what = "BODY.PEEK[]" if row == "body" else items
                seconds, cpu, (count, octets) = await self.timed(
                    client.counted(f"UID FETCH 1:* {what}", b" FETCH (")
                )
            expect("messages fetched", count, len(mail))
            self.note(row, octets / seconds / 1e6 if row == "body" else count / seconds, cpu)
        await self._find(mail)
        await self._change(len(mail))

    @asynccontextmanager
    async def _selected(self) -> AsyncIterator[Client]:
        """A new session, which has selected the mailbox."""
        client = await self.open(mailbox="Filled")
        yield client
        await client.close()

    async def _find(self, mail: Sequence[Letter]) -> None:
        """SEARCH, SORT and THREAD, each in a new session."""
        rare = [each.rare for each in mail]
        searches = [("search-body", f"BODY {word}", rare.count(word)) for word in RARE]
        searches += [("search-text", f"TEXT {word[1:]}", rare.count(word)) for word in RARE]
        for name, topic in zip(NAMES, TOPICS[:4], strict=False):
            hits = sum(each.name == name and each.topic == topic for each in mail)
            searches.append(("search-header", f'FROM "{name}" SUBJECT "{topic}"', hits))
        for row, keys, hits in searches:
            async with self._selected() as client:
                seconds, cpu, answer = await self.timed(client.command(f"UID SEARCH {keys}"))
            expect(f"what SEARCH {keys} finds", len(re.findall(rb" \d+", answer.split(b"\r\n")[0])), hits)
            self.note(row, seconds * 1000, cpu)
        for kind, command in (("sort", "UID SORT (SUBJECT)"), ("thread", "UID THREAD REFERENCES")):
            for row in (f"{kind}-first", *[f"{kind}-next"] * 3):
                async with self._selected() as client:
                    seconds, cpu, answer = await self.timed(client.command(f"{command} UTF-8 ALL"))
                numbers = set(re.findall(rb"\d+", answer.split(b"\r\n")[0]))
                expect(f"messages of {command}", len(numbers), len(mail))
                self.note(row, seconds * 1000, cpu)

    async def _change(self, messages: int) -> None:
        half = messages // 2
        async with self._selected() as client:
            store = client.counted("STORE 1:* +FLAGS (\\Seen)", b" FETCH (")
            seconds, cpu, (count, _) = await self.timed(store)
            expect("messages told as changed", count, messages)
            self.note("store", messages / seconds, cpu)
            await client.command(f"STORE 1:{half} +FLAGS.SILENT (\\Deleted)")
            seconds, cpu, (count, _) = await self.timed(client.counted("EXPUNGE", b" EXPUNGE\r\n"))
            expect("messages told as expunged", count, half)
            self.note("expunge", half / seconds, cpu)
        client = await self.open()
        await client.command("DELETE Filled")
        await client.close()

    async def login(self, number: int) -> None:
        """Short sessions."""

        async def sessions(numbers: Iterator[int]) -> None:
            for number in numbers:
                client = await self.open(number, "INBOX")
                await client.close()

        async def all_of(number: int) -> None:
            numbers = iter(range(number))
            await asyncio.gather(*(sessions(numbers) for _ in range(20)))

        await all_of(len(self._accounts))
        seconds, cpu, _ = await self.timed(all_of(number))
        self.note("login", number / seconds, cpu)

    async def idle(self, mail: Sequence[Letter], number: int) -> None:
        """Connections in IDLE; ``mail`` is in their mailbox."""
        writer = await self.open()
        await writer.append("INBOX", [each.octets for each in mail], together=50)
        before, cpu = self._memory(), cpu_seconds_below(self._pid)
        clients: list[Client] = []
        for _ in range(0, number, 20):
            clients += await asyncio.gather(*(self._idler() for _ in range(20)))
        await asyncio.sleep(2)
        self.note("idle-memory", (self._memory() - before) / len(clients), cpu_seconds_below(self._pid) - cpu)

        async def told(client: Client) -> None:
            while not (await client.line()).endswith(b" EXISTS\r\n"):
                pass

        all_told = [asyncio.ensure_future(told(client)) for client in clients]
        seconds, cpu, _ = await self.timed(self._tell(writer, mail[0], all_told))
        self.note("idle-told", seconds * 1000, cpu)
        for client in clients:
            client.abort()
        await writer.close()

    async def _idler(self) -> Client:
        client = await self.open(mailbox="INBOX")
        client.forget()
        client.write(b"q IDLE\r\n")
        await client.line()
        return client

    async def _tell(self, writer: Client, letter: Letter, told: Sequence[Awaitable[None]]) -> None:
        await writer.append("INBOX", [letter.octets])
        await asyncio.gather(*told)

    def _memory(self) -> int:
        return sum(memory(pid) for pid in below(self._pid) if Path(f"/proc/{pid}").exists())

"""Kill -9 at any moment loses nothing that was acknowledged, and no UID comes twice."""

import os
import random
import re
import signal
import subprocess
import sys
import time
from typing import Any

from twisted.internet import reactor as installed
from twisted.trial.unittest import TestCase

import mailproto
from mailproto.backends import SQLiteStore
from mailproto.backends.sqlite._database import DATABASE
from mailproto.model import FlagChange, FlagOperation, Part

reactor: Any = installed

NAME = "alice@example.org"


class DurabilityTests(TestCase):
    """A process that appends, killed and started again."""

    timeout = 60

    async def opened(self):
        store = SQLiteStore(self.folder, reactor=reactor)
        await store.start()
        return store, await (await store.account(NAME)).open("INBOX")

    def files(self):
        return os.listdir(os.path.join(self.folder, DATABASE + "-bodies"))

    def append_until_killed(self):
        """Each acknowledged UID and the mark of its message."""
        root = os.path.dirname(os.path.dirname(mailproto.__file__))
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.backends.sqlite._appender", self.folder, NAME],
            stdout=subprocess.PIPE,
            cwd=root,
        )
        first = process.stdout.readline()
        time.sleep(random.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        rest, _ = process.communicate()
        lines = [
            line.split() for line in (first + rest).decode().splitlines(keepends=True) if line.endswith("\n")
        ]
        return {int(uid): mark for uid, mark in lines}

    async def test_acknowledged_is_durable(self):
        self.folder = os.path.abspath(self.mktemp())
        store = SQLiteStore(self.folder, reactor=reactor)
        await store.start()
        await store.directory.add(NAME, "")
        await store.stop()
        highest = 0
        for _ in range(4):
            acknowledged = self.append_until_killed()
            self.assertGreater(min(acknowledged), highest)  # no UID comes again
            store, inbox = await self.opened()
            there = {}
            uids = [message.uid for message in (await inbox.changes_since(0)).changed]
            for info in await inbox.read(uids, Part.CONTENT | Part.SIZE):
                content = bytes(info.content)
                self.assertEqual(len(content), info.size)
                there[info.uid] = re.match(rb"Message-ID: <(.*)@x>", content)[1].decode()
            self.assertEqual({uid: there.get(uid) for uid in acknowledged}, acknowledged)
            self.assertEqual(len(set(there.values())), len(there))  # each is there once
            status = await inbox.status()
            self.assertEqual(status.messages, len(uids))
            highest = status.uid_next - 1
            named = store._database.read(
                lambda c: c.execute("SELECT count(*) FROM bodies WHERE file NOT NULL").fetchone()[0]
            )
            self.assertEqual(len(os.listdir(os.path.join(self.folder, DATABASE + "-bodies"))), named)
            await inbox.store(uids, FlagChange(FlagOperation.ADD, frozenset({"\\Deleted"})))
            await inbox.expunge()
            await store.stop()
        self.assertEqual(self.files(), [])

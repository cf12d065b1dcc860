"""A disk that keeps what was synced, and of the rest what it likes: what a power cut leaves.

A file's octets are certain after ``fsync`` or ``fdatasync`` of it, a name in a folder after that
of the folder.  Before, any part of the writes may have reached the disk, in any order, sector by
sector, and any of the changes of names.  No file system is worse, and POSIX promises no better.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from pathlib import Path
from random import Random
from typing import TypeVar

from tests.durability.recorder import Call

__all__ = ["Disk"]

SECTOR = 512
"""Octets that are written whole or not at all."""

T = TypeVar("T")


class _File:
    """Octets that are certain, and writes that are not, each with its place in the record."""

    def __init__(self) -> None:
        self.kept = bytearray()
        self.pending: list[tuple[int, int, bytes | None]] = []  # None: cut off there
        self.size = 0

    def write(self, at: int, offset: int, data: bytes) -> None:
        offset = self.size if offset < 0 else offset
        self.size = max(self.size, offset + len(data))
        self.pending.append((at, offset, data))

    def truncate(self, at: int, size: int) -> None:
        self.size = size
        self.pending.append((at, size, None))

    def sync(self, until: int) -> None:
        for at, offset, data in self.pending:
            if at < until:
                _apply(self.kept, offset, data)
        self.pending = [entry for entry in self.pending if entry[0] >= until]

    def survivor(self, choose: Random, chance: float) -> bytes:
        octets = bytearray(self.kept)
        for _, offset, data in self.pending:
            if choose.random() >= chance:
                continue
            if data is None or len(data) <= SECTOR or choose.random() < 0.7:
                _apply(octets, offset, data)
                continue
            for start in range(0, len(data), SECTOR):
                if choose.random() < 0.5:
                    _apply(octets, offset + start, data[start : start + SECTOR])
        return bytes(octets)


class _Folder:
    """Names that are certain, names that are, and what changed from the first to the second."""

    def __init__(self) -> None:
        self.kept: dict[str, _File | _Folder] = {}
        self.live: dict[str, _File | _Folder] = {}
        self.pending: list[tuple[int, dict[str, _File | _Folder | None]]] = []

    def change(self, at: int, names: dict[str, _File | _Folder | None]) -> None:
        _rename(self.live, names)
        self.pending.append((at, names))

    def sync(self, until: int) -> None:
        for at, names in self.pending:
            if at < until:
                _rename(self.kept, names)
        self.pending = [entry for entry in self.pending if entry[0] >= until]

    def survivor(self, choose: Random, chance: float) -> dict[str, _File | _Folder]:
        names = dict(self.kept)
        for _, change in self.pending:
            if choose.random() < chance:
                _rename(names, change)
        return names


class Disk:
    """What is in ``root``, and what of it is certain, while recorded calls are applied.

    Nothing may be in it at the beginning of the record.
    """

    def __init__(self, root: str) -> None:
        self._root = root.rstrip("/") + "/"
        self._top = _Folder()
        self._at = 0

    def apply(self, call: Call) -> None:
        """See one more call happen."""
        self._at += 1
        at = self._at - 1
        if call.path + "/" == self._root:
            if call.name == "sync":
                self._top.sync(call.began)
            return
        if not call.path.startswith(self._root) or call.name == "say":
            return
        folder, name = self._find(call.path)
        there = folder.live.get(name)
        match call.name:
            case "create":
                if there is None:
                    folder.change(at, {name: _File()})
                elif call.offset == 0:
                    assert isinstance(there, _File)
                    there.truncate(at, 0)
            case "mkdir":
                folder.change(at, {name: _Folder()})
            case "unlink":
                folder.change(at, {name: None})
            case "rename":
                other, target = self._find(call.target)
                assert other is folder, "renamed into another folder"
                folder.change(at, {name: None, target: there})
            case "sync":
                if there is not None:
                    there.sync(call.began)
            case "write" | "truncate" if isinstance(there, _File):  # else it has no name any more
                if call.name == "write":
                    there.write(at, call.offset, call.data)
                else:
                    there.truncate(at, call.offset)

    def uncertain(self) -> set[str]:
        """Paths, from the root, of files and folders whose names or octets are not all synced."""
        return set(_uncertain(self._top, ""))

    def cut(self, target: Path, choose: Random, chance: float) -> None:
        """Make ``target`` what a power cut now leaves of the root.

        :param chance: that anything that was not synced is there all the same: 0 for what is
            certain alone, 1 for everything (as after the end of the process alone).
        """
        _restore(self._top, target, choose, chance)

    def _find(self, path: str) -> tuple[_Folder, str]:
        *folders, name = path.removeprefix(self._root).split("/")
        folder = self._top
        for each in folders:
            below = folder.live[each]
            assert isinstance(below, _Folder), path
            folder = below
        return folder, name


def _apply(octets: bytearray, offset: int, data: bytes | None) -> None:
    if len(octets) < offset:
        octets.extend(bytes(offset - len(octets)))
    if data is None:
        del octets[offset:]
    else:
        octets[offset : offset + len(data)] = data


def _rename(names: dict[str, T], change: dict[str, T | None]) -> None:
    for name, what in change.items():
        if what is None:
            names.pop(name, None)
        else:
            names[name] = what


def _uncertain(folder: _Folder, path: str) -> Iterable[str]:
    for name in folder.kept.keys() | folder.live.keys():
        what = folder.live.get(name)
        if what is not folder.kept.get(name) or (isinstance(what, _File) and what.pending):
            yield os.path.join(path, name)
        if isinstance(what, _Folder):
            yield from _uncertain(what, os.path.join(path, name))


def _restore(folder: _Folder, target: Path, choose: Random, chance: float) -> None:
    target.mkdir()
    pick: Callable[[], float] = (
        (lambda: chance) if chance in (0, 1) else (lambda: choose.choice((0, chance, 1)))
    )
    for name, what in folder.survivor(choose, pick()).items():
        if isinstance(what, _Folder):
            _restore(what, target / name, choose, chance)
        elif name.endswith("-shm"):
            # Written through memory, unseen: it may hold anything.
            (target / name).write_bytes(choose.randbytes(4096) * 8)
        else:
            (target / name).write_bytes(what.survivor(choose, pick()))

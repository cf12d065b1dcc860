"""A file that is nobody else's business."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from mailproto.files import sync_folder

__all__ = ["write_private"]


def write_private(path: Path, data: bytes) -> None:
    """Write a file that nobody else may read, and put it in place whole; it is on disk afterwards."""
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    with contextlib.suppress(FileNotFoundError):
        new.unlink()
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
    new.replace(path)
    sync_folder(path.parent)

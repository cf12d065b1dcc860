"""Opens stores by URL: our own, and those of installed packages."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import EntryPoint, distributions
from typing import Any, TypeAlias

from mailproto._arguments import check_type, text_path
from mailproto._twisted_arguments import check_clock
from mailproto.backends._memory import MemoryStore
from mailproto.backends.sqlite._store import SQLiteStore
from mailproto.interfaces import IStore
from mailproto.printable import printable
from mailproto.typing import Reactor

__all__ = ["STORES", "open_memory", "open_sqlite", "open_store", "store_schemes"]

STORES = "mailproto.stores"
"""The group of entry points for stores; the name of each is a URL scheme."""

StoreOpener: TypeAlias = Callable[..., IStore]
"""The function of an entry point: ``opener(url, *, data_folder, reactor)``; see `open_store`."""


def open_store(url: str, data_folder: str | os.PathLike[str], reactor: Reactor) -> IStore:
    """Make the store that ``url`` names; it is not started yet.

    ``sqlite:`` is a store in the data folder.  ``sqlite:PATH`` is one in another folder, or in a file with
    a name in ``.sqlite3``.  ``memory:`` is lost when the process ends.  A package can add a scheme with an
    entry point in the group ``mailproto.stores``, for example in ``setup.cfg``::

        [options.entry_points]
        mailproto.stores =
            maildir = maildir_store:open_store

    The entry point is a function ``open_store(url: str, *, data_folder: str, reactor) -> IStore``.  It gets
    the whole URL, with the scheme.  It may use the data folder, which may not exist yet.  The reactor
    provides time and threads.  The function must not block: `IStore.start` does everything that takes time
    or may fail.

    :raises ValueError: the scheme is unknown, or the URL is not valid; the text is one line for the
        operator.
    """
    check_type("url", url, str, "a str such as 'sqlite:'")
    data_folder = text_path("data_folder", data_folder, "the path of a folder")
    check_clock("reactor", reactor)
    scheme, colon, _ = url.partition(":")
    opener = _OURS.get(scheme) if colon else None
    if opener is None:
        found = [each for each in _entry_points() if each.name == scheme] if colon else []
        if not found:
            raise ValueError(f"unknown store {url!r}: it must begin with {_listed(store_schemes())}")
        opener = _loaded(scheme, found)
    return opener(url, data_folder=data_folder, reactor=reactor)


def store_schemes() -> list[str]:
    """The schemes that `open_store` knows, sorted."""
    return sorted({*_OURS, *(entry_point.name for entry_point in _entry_points())})


def open_sqlite(url: str, *, data_folder: str, reactor: Reactor) -> IStore:
    """``sqlite:`` and ``sqlite:PATH``."""
    path = url.partition(":")[2]
    return SQLiteStore(path or os.path.join(data_folder, "mail"), reactor=reactor)


def open_memory(url: str, *, data_folder: str, reactor: Reactor) -> IStore:
    """``memory:``.  :raises ValueError: the URL has more than that."""
    if url != "memory:":
        raise ValueError(f"nothing can follow memory: in {url!r}")
    return MemoryStore()


_OURS: Mapping[str, StoreOpener] = {"memory": open_memory, "sqlite": open_sqlite}
"""Our own stores; they work without entry points, for example in a checkout that is not installed."""


def _entry_points() -> Iterator[EntryPoint]:
    """The entry points of all packages; a broken package is skipped."""
    for distribution in distributions():
        try:
            yield from distribution.entry_points.select(group=STORES)
        except Exception:  # noqa: S112 - another package may raise anything
            continue


def _loaded(scheme: str, found: list[EntryPoint]) -> StoreOpener:
    values = {entry_point.value for entry_point in found}
    if len(values) > 1:
        raise ValueError(f"store {scheme}: several packages bring it: {', '.join(sorted(values))}")
    entry_point = found[0]
    package = getattr(entry_point.dist, "name", "?")
    try:
        opener: Any = entry_point.load()
    except (Exception, SystemExit) as error:  # another package may raise anything
        raise ValueError(
            f"store {scheme}: the package {package} brings it by {entry_point.value}, which cannot be"
            f" loaded: {type(error).__name__}: {printable(str(error))}"
        ) from error
    if not callable(opener):
        raise ValueError(f"store {scheme}: {entry_point.value} of the package {package} is no function")

    def open_it(url: str, *, data_folder: str, reactor: Reactor) -> IStore:
        try:
            store = opener(url, data_folder=data_folder, reactor=reactor)
        except ValueError:
            raise
        except (Exception, SystemExit) as error:
            raise ValueError(
                f"store {scheme}: {entry_point.value} of the package {package} failed:"
                f" {type(error).__name__}: {printable(str(error))}"
            ) from error
        if not IStore.providedBy(store):
            raise ValueError(f"store {scheme}: {entry_point.value} of the package {package} gave no store")
        return store

    return open_it


def _listed(schemes: list[str]) -> str:
    return ", ".join(f"{printable(scheme)}:" for scheme in schemes)

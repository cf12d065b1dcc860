"""The suite for stores, on accounts of a server of ours: with its own modseqs, and with derived ones."""

from __future__ import annotations

from twisted.trial.unittest import SkipTest, TestCase

from mailproto.interfaces import IObjectIds
from mailproto.interfaces.add_ons import ISaveDates
from mailproto.testing import StoreConformance
from tests.backends.remote.upstream import RemoteStore

_ADD_ONS = (IObjectIds, ISaveDates)


class _Suite(StoreConformance):
    """The suite without what no IMAP server can do for its clients."""

    timeout = 30


for _name, _why in {
    "test_an_account_that_is_deleted_is_told": "Not offered: IMAP tells of it only by ending sessions",
    "test_an_account_made_again_is_another": "Not offered: IMAP tells of it only by ending sessions",
    "test_a_deleted_account_is_gone_with_its_mail": "Not offered: IMAP tells of it only by ending sessions",
    "test_read_gives_what_was_appended": "Not offered: servers refuse to append an empty message",
}.items():

    def _left_out(self: object) -> None:
        """Not possible."""

    _left_out.skip = _why  # type: ignore[attr-defined]
    setattr(_Suite, _name, _left_out)


class ServersModSeqsTests(_Suite, TestCase):
    """The other server has QRESYNC."""

    def make_store(self) -> RemoteStore:  # type: ignore[override]
        return RemoteStore(add_ons=_ADD_ONS)


class DerivedModSeqsTests(_Suite, TestCase):
    """The other server has neither QRESYNC nor CONDSTORE."""

    async def test_each_placement_has_an_outcome_of_its_own(self) -> None:
        """The modseqs of deliveries are the other server's, and not those that are derived."""
        raise SkipTest("Not offered: modseqs of deliveries")

    def make_store(self) -> RemoteStore:  # type: ignore[override]
        return RemoteStore(frozenset({"QRESYNC", "CONDSTORE"}), _ADD_ONS)

"""Finding messages: searching, sorting and threads without reading each message."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.model import ContentTest, Found, IndexState, SortOrder, ThreadAlgorithm, Threads

__all__ = ["IFinding", "IIndexed", "INearWords"]


@contract
class IFinding(Contract, metaclass=ContractClass):
    """An IMailbox that can find, sort and thread messages faster than by reading them.

    Without this interface, servers read each message (`mailproto.message.Searchable`).
    """

    def find(self, uids: Sequence[int], tests: Sequence[ContentTest]) -> Result[Sequence[Found]]:
        """Which of ``uids`` pass each of ``tests``, as `mailproto.message.Searchable` would say.

        A message that is not known yet, or does not exist, is in `Found.unknown`, and the caller reads it.  A
        mailbox may answer that of all messages.

        :param uids: ascending.
        :returns: the answers, in the order of ``tests``.
        """

    def sort(self, uids: Sequence[int], orders: Sequence[SortOrder]) -> Result[Sequence[int]]:
        """``uids`` in the order of SORT (RFC 5256 3); equal ones by ascending UID.

        Texts compare by i;unicode-casemap.  UIDs that do not exist are left out.

        :param orders: the first one counts most; at least one.
        """

    def thread(self, uids: Sequence[int], algorithm: ThreadAlgorithm) -> Result[Threads]:
        """``uids`` as THREAD gives them (RFC 5256 3); those that do not exist are left out."""


@contract
class INearWords(Contract, metaclass=ContractClass):
    """An IMailbox that knows the words of its messages: SEARCH=FUZZY (RFC 6203) forgives typing errors."""

    def near_words(self, uids: Sequence[int], words: Sequence[str]) -> Result[Sequence[Sequence[str]]]:
        """Which words of messages are nearly the same as others, of which none of ``uids`` has one.

        :param uids: ascending.
        :param words: mapped by `mailproto.message.search_key`.
        :returns: for each of ``words``, the near ones, the nearest first: few, and none if a message is known
            that has the word, or if nothing is known.
        """


@contract
class IIndexed(Contract, metaclass=ContractClass):
    """An IStore with a search index, which it builds behind deliveries."""

    def use_index(self, *, texts: bool | None) -> None:
        """Say whether decoded texts are indexed; called before `IStore.start`.

        If not, a search of texts reads each message, and what was indexed before is removed.

        :param texts: None leaves it as it was, for programs beside the server.
        """

    def index_state(self) -> Result[IndexState]:
        """How far the index is, and how large."""

    def rebuild_index(self, report: Callable[[IndexState], None]) -> Result[None]:
        """Build the index anew; the store may be in use, and searches stay right.

        :param report: called in the reactor's thread now and then.
        """

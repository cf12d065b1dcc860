"""Keys of mailboxes, for URLs that give access to a message."""

from __future__ import annotations

from mailproto._contracts import Contract, ContractClass, contract
from mailproto.awaiting import Result
from mailproto.interfaces._mailboxes import IMailbox

__all__ = ["IAccessKeys"]


@contract
class IAccessKeys(Contract, metaclass=ContractClass):
    """An IAccount whose mailboxes have access keys (URLAUTH, RFC 4467 2.4).

    A server makes the token of a URL with the key of its mailbox, and checks it with that.  A key is at least
    16 random octets.  It is lost with its mailbox.
    """

    def access_key(self, mailbox: str) -> Result[bytes]:
        """The key of a mailbox; it is made when it is first asked for.

        :raises NoSuchMailbox: there is no such mailbox.
        """

    def reset_access_keys(self, mailbox: str | None = None) -> Result[None]:
        """Forget the key of a mailbox, or (None) those of all mailboxes: what was made with them is worth
        nothing (RESETKEY).

        :raises NoSuchMailbox: there is no such mailbox.
        """

    def shared_by_url(self, account: str, mailbox: str) -> Result[tuple[bytes, IMailbox]]:
        """The key and the mailbox for a URL that somebody brings (URLFETCH).

        This gives access to mailboxes of others, so check the URL's token before anything else.

        :param account: whose mailbox it is, in any spelling; it need not be this account.
        :raises NoSuchAccount: there is no such account.
        :raises NoSuchMailbox: it has no such mailbox, or that has no key.
        """

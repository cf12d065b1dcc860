"""Fetching mail from servers, in one call each.

- `fetch_new`: what is new in a POP3 or IMAP mailbox, into a `Maildir`, an `Mbox`, or an `IMailbox` of a
  store; each message once, whatever happens meanwhile.
- `watch`: the new messages of an IMAP mailbox, as they come, whatever happens to the connection.

The values are `FetchProgress` and `FetchResult`; `mailproto.client.MailboxURL` names a mailbox.
"""

from mailproto.fetching._fetch_new import fetch_new
from mailproto.fetching._maildir import Maildir
from mailproto.fetching._mbox import Mbox
from mailproto.fetching._values import FetchProgress, FetchResult
from mailproto.fetching._watch import Watch, watch

__all__ = ["FetchProgress", "FetchResult", "Maildir", "Mbox", "Watch", "fetch_new", "watch"]

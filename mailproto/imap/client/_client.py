"""The IMAP client: all commands that its users may call."""

from __future__ import annotations

from mailproto.imap.client._idling import Idler
from mailproto.imap.client._mailbox_commands import MailboxCommands
from mailproto.imap.client._multisearch import MultisearchCommands
from mailproto.imap.client._signing_in import SigningIn
from mailproto.imap.client._transfer_commands import TransferCommands
from mailproto.imap.client._unasked import Events

__all__ = ["IMAPClient"]


class IMAPClient(SigningIn, MailboxCommands, TransferCommands, MultisearchCommands):
    """A connection to an IMAP server, made by `open` or `connect`::

        server = ServerAddress("imap.example.org", credentials=Password("bob", "secret"))
        client = await IMAPClient.open(reactor, server)
        await client.select("INBOX")
        async for message in client.fetch(await client.search("UNSEEN"), "ENVELOPE"):
            print(message.uid, message.envelope.subject)
        await client.quit()

    Messages are named by their UIDs, everywhere.  Methods begin when they are called: several may be called
    before the first is awaited, and those that may be under way together are sent together (RFC 9051 5.5).
    Every method raises `ConnectionLost` (or a subclass) if there is no connection.

    :param clock: the reactor, or `twisted.internet.task.Clock` in tests.  (`open` and `connect` pass it.)
    :param listener: called with what the server tells unasked: the events of `mailproto.imap.values`.
    :param timeouts: how long the client waits for the server; by default, `IMAPTimeouts` as they are.
    :param limits: how much the server may send; by default, `IMAPClientLimits` as they are.
    :param is_remote: True if the server is on another machine although the connection's other end is on this
        machine, as with a proxy or a tunnel.  No secret is sent in clear then.
    :raises TypeError: an argument is of the wrong type.
    """

    _idler: Idler | None = None

    def idle(self) -> Events:
        """What happens in the selected mailbox, and in others after `notify`: an iterator of events::

            async for event in client.idle():
                if isinstance(event, Exists):
                    ...

        While no command is under way, the client waits with IDLE, which it renews before the server ends it;
        where the server has no IDLE, it asks with NOOP from time to time.  Inside the loop, other commands
        may be awaited: IDLE ends for them, and begins anew.  Leaving the loop ends it.

        :returns: the asynchronous iterator, which raises `ConnectionLost` when the connection ends.
        """
        if self._idler is None:
            self._idler = Idler(self._session)
        return self._idler.events()

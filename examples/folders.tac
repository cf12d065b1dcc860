# A dict of folders, which clients read by IMAP while mail changes it: twistd -ny folders.tac
import os
from email.message import EmailMessage

from twisted.application import service

from mailproto.auth import password_portal
from mailproto.backends import SimpleAccount, SimpleMailbox
from mailproto.delivery import FunctionDelivery
from mailproto.errors import NoSuchAccount
from mailproto.imap import IMAPServerFactory
from mailproto.listening import Listener
from mailproto.message import Message
from mailproto.smtp import SMTPServerFactory

TICKETS = {
    "Open": {"1": "The printer is on fire", "2": "It is still on fire"},
    "Closed": {"0": "No paper"},
}


class Folder(SimpleMailbox):
    """A dict of titles by number, as a mailbox that clients only read."""

    writable = False

    def __init__(self, name):
        super().__init__(name)
        self.shown = {}  # (number, title): the UID of its message

    def show(self, tickets):
        """Make the mailbox the same as the dict; clients that watch are told."""
        new = set(tickets.items())
        self.remove(self.shown.pop(ticket) for ticket in [*self.shown] if ticket not in new)
        for number, title in sorted(new - self.shown.keys()):
            message = EmailMessage()
            message["Subject"] = f"#{number}: {title}"
            message.set_content(f"https://tickets.example.org/{number}\n")
            self.shown[number, title] = self.add(message).uid


folders: dict[str, Folder] = {}
account = SimpleAccount("support")


def show():
    """Make the account the same as TICKETS."""
    for name in folders.keys() - TICKETS.keys():
        account.remove_mailbox(name)
        del folders[name]
    for name, tickets in TICKETS.items():
        if name not in folders:
            folders[name] = Folder(name)
            account.add_mailbox(name, folders[name])
        folders[name].show(tickets)


def account_of(name):
    if name != "support":
        raise NoSuchAccount
    return account


async def deliver(envelope, content):
    """Each message that arrives is a new ticket."""
    number = 1 + max((int(number) for tickets in TICKETS.values() for number in tickets), default=0)
    TICKETS.setdefault("Open", {})[str(number)] = Message(content).subject
    show()


show()
portal = password_portal({"support": "secret"}, account=account_of)
application = service.Application("tickets")
imap = os.environ.get("MAILPROTO_IMAP", "tcp:8143:interface=127.0.0.1")
smtp = os.environ.get("MAILPROTO_SMTP", "tcp:8025:interface=127.0.0.1")
Listener(imap, IMAPServerFactory(portal)).setServiceParent(application)
Listener(smtp, SMTPServerFactory(FunctionDelivery(deliver))).setServiceParent(application)

# SMTP in and IMAP out, over a store in memory, for alice@localhost: twistd -ny memory.tac
import os
from twisted.application import service
from twisted.internet import defer
from mailproto.auth import hash_password, store_portal
from mailproto.backends import MemoryStore
from mailproto.delivery import MailboxDelivery
from mailproto.imap import IMAPServerFactory
from mailproto.listening import Listener
from mailproto.smtp import SMTPServerFactory

store = MemoryStore()
defer.ensureDeferred(store.directory.add("alice@localhost", hash_password("secret")))
smtp = SMTPServerFactory(MailboxDelivery(store, ["localhost"]))
imap = IMAPServerFactory(store_portal(store))
application = service.Application("mail in memory")
for name, port, factory in (("SMTP", 8025, smtp), ("IMAP", 8143, imap)):
    endpoint = os.environ.get(f"MAILPROTO_{name}", f"tcp:{port}:interface=127.0.0.1")
    Listener(endpoint, factory).setServiceParent(application)

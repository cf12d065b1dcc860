# An IMailbox over a Python list, an IDelivery that calls a function: twistd -ny custom_backend.tac
import os
from twisted.application import service
from mailproto import auth, backends, delivery, imap, listening, smtp

mailbox = backends.SimpleMailbox()
for message in (b"Subject: one\r\n\r\nfirst\r\n", b"Subject: two\r\n\r\nsecond\r\n"):
    mailbox.add(message)
def arrive(envelope, content):
    mailbox.add(bytes(content))
store = backends.SingleStore("alice@localhost", auth.hash_password("secret"), mailbox)
receiver = smtp.SMTPServerFactory(delivery.FunctionDelivery(arrive))
reader = imap.IMAPServerFactory(auth.store_portal(store))
application = service.Application("a list as a mailbox")
for name, port, factory in (("SMTP", 8025, receiver), ("IMAP", 8143, reader)):
    endpoint = os.environ.get(f"MAILPROTO_{name}", f"tcp:{port}:interface=127.0.0.1")
    listening.Listener(endpoint, factory).setServiceParent(application)

# An SMTP filter: a proxy that looks at each message, and changes or refuses it: twistd -ny smtp_filter.tac
import os

from twisted.application import service

from mailproto.client import ServerAddress
from mailproto.delivery.routing import SMTPDelivery
from mailproto.errors import Refused
from mailproto.listening import Listener
from mailproto.message import Message
from mailproto.smtp import SMTPServerFactory

HOST, PORT = os.environ.get("MAILPROTO_NEXT_HOP", "localhost:25").rsplit(":", 1)


def filtered(content):
    """What is passed on instead of a message; raises Refused to refuse it."""
    message = Message(content)
    for file in message.attachments:
        if file.name.lower().endswith((".exe", ".js", ".scr")):
            raise Refused(554, "5.7.1", "No programs, please", detail=file.name)
    return content.prepend(b"X-Spam: yes\r\n") if "lottery" in message.subject.lower() else content


delivery = SMTPDelivery(ServerAddress(HOST, int(PORT), tls="opportunistic"), filter_in_thread=filtered)
application = service.Application("SMTP filter")
endpoint = os.environ.get("MAILPROTO_SMTP", "tcp:8025:interface=127.0.0.1")
Listener(endpoint, SMTPServerFactory(delivery)).setServiceParent(application)

# An SMTP filter: a proxy that looks at each message, and changes or refuses it: twistd -ny smtp_filter.tac
import os

from twisted.application import service
from twisted.internet.threads import deferToThread

from mailproto.client import ServerAddress
from mailproto.delivery.routing import SMTPDelivery
from mailproto.errors import Refused
from mailproto.listening import Listener
from mailproto.message import Message
from mailproto.smtp import SMTPServerFactory

HOST, PORT = os.environ.get("MAILPROTO_NEXT_HOP", "localhost:25").rsplit(":", 1)
NEXT_HOP = ServerAddress(HOST, int(PORT), tls="opportunistic")
UNWANTED = (".exe", ".js", ".scr")


def filtered(content):
    """What is passed on instead of a message; raises Refused to refuse it."""
    message = Message(content)
    for file in message.attachments:
        if file.name.lower().endswith(UNWANTED):
            raise Refused(554, "5.7.1", "No programs, please", detail=file.name)
    is_spam = "lottery" in message.subject.lower()
    return content.prepend(b"X-Spam: yes\r\n") if is_spam else content


class Filter(SMTPDelivery):
    def filter(self, envelope, content):
        return deferToThread(filtered, content)


application = service.Application("SMTP filter")
endpoint = os.environ.get("MAILPROTO_SMTP", "tcp:8025:interface=127.0.0.1")
Listener(endpoint, SMTPServerFactory(Filter(NEXT_HOP))).setServiceParent(application)

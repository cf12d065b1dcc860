# A webhook gateway: each message becomes an HTTP request: twistd -ny webhook.tac
import hashlib
import json
import os
from io import BytesIO

from twisted.application import service
from twisted.internet import reactor
from twisted.internet.threads import deferToThread
from twisted.web.client import Agent, FileBodyProducer, HTTPConnectionPool, readBody
from twisted.web.http_headers import Headers

from mailproto.delivery import Delivery
from mailproto.errors import RecipientUnknown, Refused, Unavailable
from mailproto.listening import Listener
from mailproto.message import Message
from mailproto.smtp import SMTPServerFactory
from mailproto.smtp.limits import SMTPLimits

URL = os.environ.get("WEBHOOK_URL", "http://127.0.0.1:8000/mail")
DOMAIN = os.environ.get("WEBHOOK_DOMAIN", "example.org")


def request_for(envelope, content):
    """The key and the body of the HTTP request; the key stays the same when the message is sent again."""
    message = Message(content)
    mail = {
        "id": envelope.id,
        "sender": str(envelope.sender),
        "recipients": [str(recipient.address) for recipient in envelope.recipients],
        "from": [address for name, address in message.from_],
        "subject": message.subject,
        "text": message.text,
        "html": message.html,
        "attachments": [[file.name, file.media_type] for file in message.attachments],
    }
    key = hashlib.sha256(json.dumps([mail["sender"], mail["recipients"]]).encode())
    with content.open() as lines:
        next(lines)  # our own Received field is new each time: leave it out
        key.update(next((line for line in lines if line[:1] not in b" \t"), b""))
        while piece := lines.read(1 << 16):
            key.update(piece)
    return key.hexdigest(), json.dumps(mail).encode()


class Webhook(Delivery):
    def __init__(self, reactor):
        self.agent = Agent(reactor, connectTimeout=10, pool=HTTPConnectionPool(reactor))

    def recipient(self, session, path, parameters):
        if path.domain.lower() != DOMAIN:
            raise RecipientUnknown

    async def deliver(self, envelope, content):
        key, body = await deferToThread(request_for, envelope, content)
        headers = Headers({"Content-Type": ["application/json"], "Idempotency-Key": [key]})
        try:
            producer = FileBodyProducer(BytesIO(body))
            response = await self.agent.request(b"POST", URL.encode(), headers, producer)
            await readBody(response)
        except Exception as error:
            raise Unavailable(detail=f"no answer from the webhook: {error!r}") from error
        if response.code in (408, 425, 429) or response.code >= 500:
            raise Unavailable(detail=f"the webhook answered {response.code}")
        if not 200 <= response.code < 300:
            raise Refused(554, "5.6.0", "The message is not wanted", detail=f"webhook: {response.code}")


application = service.Application("webhook gateway")
factory = SMTPServerFactory(Webhook(reactor), limits=SMTPLimits(delivery=30))
endpoint = os.environ.get("MAILPROTO_SMTP", "tcp:8025:interface=127.0.0.1")
Listener(endpoint, factory).setServiceParent(application)

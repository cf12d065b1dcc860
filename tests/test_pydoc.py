"""pydoc's pages begin with what people use, and are short enough to be read."""

from __future__ import annotations

import importlib
import inspect
import pydoc
import re
from collections.abc import Iterator
from types import ModuleType

from twisted.internet.protocol import Protocol
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.interface import InterfaceClass, Method

from mailproto import interfaces

FIRST = {
    "mailproto": """
        SMTPServerFactory send_mail SMTPSender IMAPServerFactory POP3ServerFactory
        password_portal store_portal
        mailproto.delivery mailproto.backends mailproto.interfaces mailproto.testing
    """,
    "mailproto.auth": """
        password_portal store_portal hash_password TokenChecker Password Token mailproto.auth.sasl
    """,
    "mailproto.backends": "open_store SimpleMailbox",
    "mailproto.backends.remote": "remote_portal RemoteAccount JoinedAccount FilteredAccount",
    "mailproto.client": "ServerAddress Client ClientPool mailproto.client.errors",
    "mailproto.delivery": "FunctionDelivery Delivery MailboxDelivery",
    "mailproto.fetching": "fetch_new watch Maildir Mbox FetchProgress FetchResult",
    "mailproto.imap": "IMAPServerFactory IMAPClient mailproto.imap.values mailproto.imap.limits",
    "mailproto.listening": "Listener ListenError",
    "mailproto.message": "Message Attachment encode_header decode_header",
    "mailproto.pop3": "POP3ServerFactory POP3Client mailproto.pop3.limits",
    "mailproto.relay": "QueueDelivery RelayAgent Routes mailproto.relay.servers mailproto.relay.policies",
    "mailproto.smtp": """
        send_mail SMTPServerFactory SMTPSender SMTPClient
        mailproto.smtp.errors mailproto.smtp.limits mailproto.smtp.lmtp
    """,
    "mailproto.testing": "StoreConformance Dialogue play_each_way",
    "mailproto.tls": "server_tls client_tls",
}
"""What the beginning of a page says, by module."""

BEGINNING = 60
"""The lines of about one screen and a half: the beginning of a page."""

LONGEST = {
    "mailproto.auth": 600,
    "mailproto.backends": 600,
    "mailproto.backends.remote": 520,
    "mailproto.client": 650,
    "mailproto.connection": 1100,
    "mailproto.delivery": 500,
    "mailproto.fetching": 450,
    "mailproto.imap": 900,
    "mailproto.interfaces": 700,
    "mailproto.pop3": 600,
    "mailproto.relay": 800,
    "mailproto.smtp": 900,
    "mailproto.smtp.limits": 500,
    "mailproto.tls": 500,
}
"""The most lines that a page may have."""


def page(module_name: str) -> list[str]:
    """What ``pydoc NAME`` prints."""
    return pydoc.plain(pydoc.render_doc(importlib.import_module(module_name))).splitlines()


def texts(module: ModuleType) -> Iterator[tuple[str, str]]:
    """The public names of a module, with those inside of them, and their texts."""
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, InterfaceClass):
            for member, description in value.namesAndDescriptions():
                yield f"{name}.{member}", description.getDoc()
        elif inspect.isclass(value):
            yield name, value.__doc__ or ""
            for member, inner in vars(value).items():
                inner = getattr(inner, "__func__", inner)
                is_public = not member.startswith(("_", "test_")) and not hasattr(Protocol, member)
                if is_public and (inspect.isfunction(inner) or isinstance(inner, property)):
                    yield f"{name}.{member}", inner.__doc__ or ""
        elif inspect.isfunction(value):
            yield name, value.__doc__ or ""


class PageTests(SynchronousTestCase):
    def test_what_people_use_is_at_the_beginning(self) -> None:
        for module_name, names in FIRST.items():
            beginning = "\n".join(page(module_name)[:BEGINNING])
            for name in names.split():
                with self.subTest(module=module_name, name=name):
                    self.assertIn(name, beginning)

    def test_pages_are_short(self) -> None:
        for module_name, most in LONGEST.items():
            with self.subTest(module=module_name):
                self.assertLessEqual(len(page(module_name)), most)

    def test_contracts_show_their_methods(self) -> None:
        shown = "\n".join(page("mailproto.interfaces"))
        for interface_name in interfaces.__all__:
            for name, member in getattr(interfaces, interface_name).namesAndDescriptions():
                with self.subTest(interface=interface_name, member=name):
                    self.assertIn(f"        {name}{'(' if isinstance(member, Method) else ': '}", shown)
        self.assertIn("recipient(session: Session, path: Address, parameters: Parameters) -> ", shown)
        self.assertIn(":raises MailError: to refuse it; the transaction goes on without it.", shown)

    def test_each_text_begins_with_a_sentence(self) -> None:
        """And public names have texts, apart from those that Twisted demands."""
        modules = {*FIRST, *LONGEST, "mailproto.client.errors", "mailproto.smtp.errors"}
        for module_name in sorted(
            modules - {"mailproto", "mailproto.testing"}
        ):  # that has transports: Twisted's names
            for name, text in texts(importlib.import_module(module_name)):
                with self.subTest(module=module_name, name=name):
                    first = re.split(r"\n\n|\s:(?:raises|returns|param)", inspect.cleandoc(text))[0].strip()
                    self.assertRegex(first, r"(?s)\A[^a-z:\s].*[.:]\Z", f"{module_name}.{name}")

    def test_a_module_that_is_mentioned_is_there(self) -> None:
        """Pages send readers to other modules and names."""
        for module_name in FIRST:
            text = pydoc.getdoc(importlib.import_module(module_name))
            for mentioned in re.findall(r"`(mailproto(?:\.\w+)+)`", text):
                with self.subTest(module=module_name, mentioned=mentioned):
                    self.assertIsNotNone(pydoc.locate(mentioned))

"""A contract is a zope interface when the program runs, and a text with signatures to pydoc."""

from __future__ import annotations

import pydoc
from abc import abstractmethod
from collections.abc import Awaitable

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import Interface, implementer
from zope.interface.exceptions import BrokenMethodImplementation, Invalid
from zope.interface.interface import Attribute, InterfaceClass, Method
from zope.interface.verify import verifyObject

from mailproto import interfaces
from mailproto._contracts import Contract, ContractClass, contract


@contract
class IGreeter(Contract, metaclass=ContractClass):
    """Says hello.

    To people.
    """

    @property
    def language(self) -> str:
        """In which language."""

    def greet(self, name: str, *, loudly: bool = False) -> Awaitable[str]:
        """One line.

        :raises KeyError: the person is not known.
        """


@contract
class IParter(IGreeter, Contract, metaclass=ContractClass):
    """Says goodbye, too."""

    @abstractmethod
    def part(self) -> None:
        """Say it."""


@implementer(IParter)
class Person:
    language = "en"

    async def greet(self, name: str, *, loudly: bool = False) -> str:
        return f"Hello, {name}"

    def part(self) -> None:
        """Leave."""


class ZopeTests(SynchronousTestCase):
    def test_methods_have_no_self(self) -> None:
        method = IGreeter.getDescriptionFor("greet")
        self.assertIsInstance(method, Method)
        self.assertEqual(method.getSignatureString(), "(name)")
        self.assertIs(method.interface, IGreeter)
        self.assertTrue(method.getDoc().startswith("One line."))

    def test_properties_are_attributes(self) -> None:
        attribute = IGreeter.getDescriptionFor("language")
        self.assertIs(type(attribute), Attribute)
        self.assertEqual(attribute.getDoc(), "In which language.")

    def test_an_implementation_is_found(self) -> None:
        for each in (IGreeter, IParter):
            self.assertTrue(each.providedBy(Person()))
            self.assertTrue(verifyObject(each, Person()))
        self.assertEqual(sorted(IParter.names(all=True)), ["greet", "language", "part"])

    def test_a_wrong_implementation_is_found(self) -> None:
        @implementer(IGreeter)
        class Mute:
            language = "en"

            def greet(self) -> None:
                """Too few parameters."""

        self.assertRaises(BrokenMethodImplementation, verifyObject, IGreeter, Mute())
        self.assertRaises(Invalid, verifyObject, IGreeter, object())

    def test_a_contract_may_be_extended_as_zope_writes_interfaces(self) -> None:
        class IOld(IGreeter):
            volume: int = Attribute("How loud.")

            def shout(text: str) -> None:  # noqa: N805
                """Greet everybody."""

        self.assertEqual(IOld.getDescriptionFor("shout").getSignatureString(), "(text)")
        self.assertTrue(IOld.extends(IGreeter))
        self.assertIn("shout(text: str) -> None\n    Greet everybody.", IOld.__doc__)

    def test_all_interfaces_are_declared_so(self) -> None:
        for name in interfaces.__all__:
            declared = getattr(interfaces, name)
            self.assertIsInstance(declared, ContractClass, name)
            self.assertIsInstance(declared, InterfaceClass, name)
            self.assertTrue(declared.extends(Interface), name)


class DocumentationTests(SynchronousTestCase):
    def test_signatures_and_texts(self) -> None:
        self.assertEqual(
            IGreeter.__doc__,
            """\
Says hello.

To people.

language: str
    In which language.

greet(name: str, *, loudly: bool = False) -> Awaitable[str]
    One line.

    :raises KeyError: the person is not known.""",
        )

    def test_what_a_contract_adds(self) -> None:
        self.assertEqual(
            IParter.__doc__,
            "Says goodbye, too.\n\nEverything of IGreeter, and:\n\npart() -> None\n    Say it.",
        )

    def test_without_texts(self) -> None:
        class IBare(Contract, metaclass=ContractClass):
            def go(self) -> None: ...

        self.assertEqual(IBare.__doc__, "go() -> None")

    def test_help(self) -> None:
        self.assertIn("greet(name: str", pydoc.plain(pydoc.render_doc(IGreeter)))

"""How a contract is declared: zope's interface for the program, a ``typing.Protocol`` for type checkers.

A contract is written as a Protocol is, with ``self``, and its attributes as properties::

    @contract
    class IGreeter(Contract, metaclass=ContractClass):
        \"""Says hello.\"""

        @property
        def language(self) -> str:
            \"""In which language.\"""

        def greet(self, name: str) -> Awaitable[str]:
            \"""One line, for a person.\"""

To type checkers, `Contract` is ``Protocol``.  So a class fits if it has the members, with or without zope's
plugin for mypy, and a checker says which member does not fit.  (Without the plugin, no class implements a
plain zope interface.)  The plugin, too, knows a contract as an interface, by its metaclass: it checks classes
under ``@implementer``, and narrows types after ``providedBy``, for which it needs the decorator.

When the program runs, a contract is an ``InterfaceClass`` like any other: `ContractClass` makes zope's
methods of the functions, without ``self``, and zope's attributes of the properties.

A contract that extends another names all three bases, and its methods are ``@abstractmethod``: the plugin
expects the methods of such a class without ``self``, but leaves decorated ones alone.
"""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable, Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any

from zope.interface import Attribute, Interface
from zope.interface.interface import InterfaceClass, fromFunction

if TYPE_CHECKING:
    from abc import ABCMeta
    from typing import Protocol as Contract
    from typing import TypeVar
    from typing import runtime_checkable as contract

    from typing_extensions import TypeIs

    T = TypeVar("T")

    class ContractClass(InterfaceClass, ABCMeta):
        def providedBy(cls: type[T], ob: object) -> TypeIs[T]: ...  # noqa: N802

else:

    def contract(declared):
        """Return the contract itself: the decorator is for type checkers."""
        return declared

    class ContractClass(InterfaceClass):
        # The documentation is a property, because pydoc takes an interface for data, of which it prints
        # only the documentation; it is made when somebody reads it.

        def __init__(self, name, bases=(), attrs=None, __doc__=None, __module__=None):
            self._members = {
                member: value
                for member, value in (attrs or {}).items()
                if isinstance(value, FunctionType | property)
            }
            in_zope = {member: _in_zope(member, value) for member, value in self._members.items()}
            super().__init__(name, bases, {**(attrs or {}), **in_zope}, __doc__, __module__)

        @property
        def __doc__(self):
            bases = [base.__name__ for base in self.__bases__ if base not in (Contract, Interface)]
            inherited = [f"Everything of {' and '.join(bases)}, and:"] if bases else []
            return "\n\n".join([inspect.cleandoc(self._text), *inherited, *_described(self._members)]).strip()

        @__doc__.setter
        def __doc__(self, text):
            self._text = text or ""

    Contract = ContractClass("Contract", (Interface,), {"__module__": __name__, "__doc__": "Any contract."})

__all__ = ["Contract", "ContractClass", "contract"]

Member = FunctionType | property


class _Verbatim(str):
    """An annotation that ``inspect`` shows as it is written."""

    def __repr__(self) -> str:
        return str(self)


def _in_zope(name: str, member: Member) -> Attribute:
    """What zope keeps of a member."""
    if isinstance(member, property):
        return Attribute(name, inspect.getdoc(member) or "")
    takes_self = next(iter(inspect.signature(member).parameters), "") == "self"
    method: Attribute = fromFunction(member, name=name, imlevel=int(takes_self))
    return method


def _described(members: dict[str, Member]) -> Iterator[str]:
    """A paragraph for each member: its signature, and its documentation below."""
    for name, member in members.items():
        if isinstance(member, property):
            shown = f"{name}: {inspect.signature(_getter(member)).return_annotation}"
        else:
            shown = name + _signature(member)
        yield "\n".join([shown, textwrap.indent(inspect.getdoc(member) or "", "    ")]).rstrip()


def _getter(member: property) -> Callable[..., Any]:
    assert member.fget is not None  # noqa: S101
    return member.fget


def _signature(function: FunctionType) -> str:
    """The signature of a method as a caller sees it: without ``self``, types as they are written."""
    signature = inspect.signature(function)
    parameters = [
        parameter.replace(annotation=_verbatim(parameter.annotation))
        for parameter in signature.parameters.values()
        if parameter.name != "self"
    ]
    returned = _verbatim(signature.return_annotation)
    return str(signature.replace(parameters=parameters, return_annotation=returned))


def _verbatim(annotation: Any) -> Any:
    return _Verbatim(annotation) if isinstance(annotation, str) else annotation

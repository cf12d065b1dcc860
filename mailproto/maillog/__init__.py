"""The mail log: what happens to each message, which accounts sign in, and what is refused and why.

`MailLog` is an observer (`mailproto.observing`) that every server has.  It emits one event of
``twisted.logger`` for each of its lines.  The event's fields have the names and the values that
``docs/log.md`` lists, and its text has these fields in one line, for example
::

    refused peer=192.0.2.1 protocol=smtp command=RCPT recipient=<x@example.org> reply="550 5.1.1 ..."

The text is formatted at once, and is the event's field ``line``.  Values come from clients: `printable` and
quotes make sure that no client can forge a line or a field.
"""

from mailproto.maillog._lines import LINE, MAX_VALUE, NAMESPACE
from mailproto.maillog._mail_log import MAX_REFUSALS, MailLog, observer_of

__all__ = ["LINE", "MAX_REFUSALS", "MAX_VALUE", "NAMESPACE", "MailLog", "observer_of"]

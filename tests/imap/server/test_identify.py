"""ID (RFC 2971) in dialogues."""

from __future__ import annotations

from tests.imap.server.dialogue import DialogueTestCase


class IdTests(DialogueTestCase):
    def test_the_longest_before_login(self) -> None:
        """RFC 2971 3.3: 30 pairs of names of 30 octets and values of 1024."""
        client = self.connect()
        names, value = [f"{number:030}" for number in range(30)], "x" * 1024
        quoted = " ".join(f'"{name}" "{value}"' for name in names)
        literals = " ".join(f"{{30+}}\r\n{name} {{1024+}}\r\n{value}" for name in names)
        for pairs in (quoted, literals):
            client.send(f"a ID ({pairs})\r\n".encode())
            self.assertEqual(client.received(), b'* ID ("name" "mailproto")\r\na OK ID completed\r\n')

    def test_one_that_is_too_long(self) -> None:
        self.connect()
        many = " ".join(['"a" "b"'] * 31)
        self.talk(
            f"""
            C: a ID ({many})
            S: a BAD ID too long
            C: b ID ("a" "{"x" * 1025}")
            S: b BAD ID too long
            C: c ID NIL
            S: * ID ("name" "mailproto")
            S: c OK ID completed
            """
        )

"""ENVELOPE, BODY and BODYSTRUCTURE, octet by octet."""

from twisted.trial.unittest import TestCase

from mailproto.message import Index, body, summarise, utf8_form


def structure(content: bytes) -> bytes:
    return summarise(content).body_structure


def envelope(content: bytes) -> bytes:
    return summarise(content).envelope


class EnvelopeTests(TestCase):
    def test_all_fields_in_order(self) -> None:
        content = (
            b"Message-ID: <m@x>\r\nIn-Reply-To: <r@x>\r\nBcc: b@x\r\nCc: c@x\r\nTo: t@x\r\nReply-To: r@x\r\n"
            b"Sender: s@x\r\nFrom: f@x\r\nSubject: subject\r\nDate: date\r\n\r\n"
        )
        expected = (
            b'("date" "subject" ((NIL NIL "f" "x")) ((NIL NIL "s" "x")) ((NIL NIL "r" "x"))'
            b' ((NIL NIL "t" "x")) ((NIL NIL "c" "x")) ((NIL NIL "b" "x")) "<r@x>" "<m@x>")'
        )
        self.assertEqual(envelope(content), expected)

    def test_what_is_missing_is_nil(self) -> None:
        self.assertEqual(envelope(b"\r\n"), b"(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)")

    def test_what_is_empty_is_not_nil(self) -> None:
        self.assertEqual(envelope(b"Subject:\r\nDate:\r\n\r\n"), b'("" "" NIL NIL NIL NIL NIL NIL NIL NIL)')

    def test_sender_and_reply_to_are_from_where_they_are_missing_or_empty(self) -> None:
        one = b'((NIL NIL "a" "b"))'
        self.assertEqual(
            envelope(b"From: a@b\r\nSender: \r\n\r\n"),
            b"(NIL NIL %b %b %b NIL NIL NIL NIL NIL)" % (one, one, one),
        )

    def test_a_subject_is_unfolded_and_its_blanks_are_one(self) -> None:
        self.assertEqual(
            envelope(b"Subject:  a  b\t\tc \r\n\td \r\n\r\n"),
            b'(NIL "a b c d" NIL NIL NIL NIL NIL NIL NIL NIL)',
        )

    def test_blanks_in_other_fields_stay(self) -> None:
        self.assertEqual(envelope(b"Date: x \r\n y\r\n\r\n"), b'("x  y" NIL NIL NIL NIL NIL NIL NIL NIL NIL)')

    def test_eight_bit_octets_make_a_literal(self) -> None:
        self.assertEqual(
            envelope(b"Subject: \xc3\xa9\r\n\r\n"), b"(NIL {2}\r\n\xc3\xa9 NIL NIL NIL NIL NIL NIL NIL NIL)"
        )

    def test_nul_is_replaced(self) -> None:
        self.assertEqual(
            envelope(b"Subject: a\0b\r\n\r\n"), b"(NIL {5}\r\na\xef\xbf\xbdb NIL NIL NIL NIL NIL NIL NIL NIL)"
        )

    def test_quotes_are_escaped(self) -> None:
        self.assertEqual(
            envelope(b'Subject: a"b\\c\r\n\r\n'), b'(NIL "a\\"b\\\\c" NIL NIL NIL NIL NIL NIL NIL NIL)'
        )

    def test_of_repeated_texts_the_last_counts_and_addresses_add_up(self) -> None:
        self.assertEqual(
            envelope(b"To: a@b\r\nSubject: one\r\nSubject: two\r\nTo: c@d\r\n\r\n"),
            b'(NIL "two" NIL NIL NIL ((NIL NIL "a" "b")(NIL NIL "c" "d")) NIL NIL NIL NIL)',
        )

    def test_folds_and_comments_are_no_part_of_an_id(self) -> None:
        """RFC 5322 3.6.4."""
        for value, shown in (
            (b"\r\n\t<id@x>", b'"<id@x>"'),
            (b"<id@x>\r\n ", b'"<id@x>"'),
            (b"<id@x> (added by x)", b'"<id@x>"'),
            (b"(a (b) <c>) <id@x>", b'"<id@x>"'),
            (b"< id (c) @\r\n x . y >", b'"<id@x.y>"'),
            (b"<a@b>\r\n\t<c@d>(x)<e@f>", b'"<a@b> <c@d> <e@f>"'),
            (b'<"a  b"@x>', b'"<\\"a  b\\"@x>"'),
            (b"<a b@x>", b'"<a b@x>"'),
            (b"id@x", b'"id@x"'),
            (b"\r\n ", b'""'),
            (b"(nothing)", b'""'),
            (b"Your message of\r\n  Monday", b'"Your message of Monday"'),
            (b'Your message of "Mon (x)"\r\n <a@b>', b'"Your message of \\"Mon (x)\\" <a@b>"'),
            (b'5" disk (x) <\t a@b>', b'"5\\" disk <a@b>"'),
            (b"(unclosed\r\n <a@b>", b'"(unclosed <a@b>"'),
            (b"<unclosed\r\n a@b", b'"<unclosed a@b"'),
            (b'<"a\r\n b"@x>', rb'"<\"a b\"@x>"'),
            (b'<"a\r\n b@x>', rb'"<\"a b@x>"'),
        ):
            for name, form in ((b"Message-ID", b"NIL %b)"), (b"In-Reply-To", b"%b NIL)")):
                self.assertTrue(
                    envelope(
                        name + b":" + (b"" if value[:1] == b"\r" else b" ") + value + b"\r\n\r\n"
                    ).endswith(form % shown),
                    (name, value),
                )

    def test_a_very_long_value_of_ids_is_put_on_one_line(self) -> None:
        shown = envelope(b"Message-ID: (x)\r\n " + b"<a@b>\r\n " * 20_000 + b"\r\n\r\n")
        self.assertRegex(shown, rb'"(<a@b> ){500,}<a@b>"\)$')

    def test_white_space_before_the_colon(self) -> None:
        self.assertEqual(envelope(b"sUBJECT \t: x\r\n\r\n"), b'(NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL)')

    def test_a_line_without_colon_is_no_field(self) -> None:
        self.assertEqual(
            envelope(b"Subject\r\nfoo\r\n\tDate: a\r\nDate: b\r\n\r\n"),
            b'("b" NIL NIL NIL NIL NIL NIL NIL NIL NIL)',
        )


class BodyStructureTests(TestCase):
    def test_plain_text_is_the_default(self) -> None:
        self.assertEqual(
            structure(b"\r\none\r\ntwo"),
            b'("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 8 1 NIL NIL NIL NIL)',
        )

    def test_all_fields_of_a_part(self) -> None:
        content = (
            b'Content-Type: IMAGE/Png; name="x y"\r\nContent-ID: <i@x>\r\nContent-Description: a\r\n b\r\n'
            b"Content-Transfer-Encoding: BASE64\r\nContent-MD5: md5\r\nContent-Language: en, de\r\n"
            b"Content-Disposition: attachment; filename=x\r\nContent-Location: http://x/\r\n\r\nAAAA"
        )
        expected = (
            b'("IMAGE" "Png" ("name" "x y") "<i@x>" "a b" "BASE64" 4 "md5" ("attachment" ("filename" "x"))'
            b' ("en" "de") "http://x/")'
        )
        self.assertEqual(structure(content), expected)

    def test_of_repeated_fields_the_one_that_says_something(self) -> None:
        content = (
            b"MIME-Version: 1.0\r\nContent-Disposition: a\r\nContent-Disposition: b; c=d\r\n"
            b"Content-Disposition: e; f=g\r\nContent-Transfer-Encoding: \r\n"
            b"Content-Transfer-Encoding: 8bit\r\n"
            b"Content-Language: \r\nContent-Language: en\r\n\r\n"
        )
        expected = (
            b'("text" "plain" ("charset" "us-ascii") NIL NIL "8bit" 0 0 NIL ("b" ("c" "d")) ("en") NIL)'
        )
        self.assertEqual(structure(content), expected)

    def test_without_mime_content_fields_mean_nothing(self) -> None:
        self.assertIn(b'"7bit"', structure(b"Content-Transfer-Encoding: base64\r\n\r\n"))
        self.assertIn(
            b'"base64"', structure(b"MIME-Version: 1.0\r\nContent-Transfer-Encoding: base64\r\n\r\n")
        )

    def test_a_multipart(self) -> None:
        header = b"Content-Type: multipart/mixed; boundary=b\r\nContent-Language: en\r\n\r\n"
        content = header + b"--b\r\n\r\nx\r\n--b--\r\n"
        self.assertEqual(
            structure(content),
            b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0 NIL NIL NIL NIL)'
            b' "mixed" ("boundary" "b") NIL ("en") NIL)',
        )

    def test_a_multipart_without_parts_shows_an_empty_one(self) -> None:
        self.assertEqual(
            structure(b"Content-Type: multipart/mixed\r\n\r\nx"),
            b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 0 0 NIL NIL NIL NIL)'
            b' "mixed" NIL NIL NIL NIL)',
        )

    def test_a_message_shows_its_envelope_structure_and_lines(self) -> None:
        self.assertEqual(
            structure(b"Content-Type: Message/RFC822\r\n\r\nSubject: x\r\n\r\ny\r\n"),
            b'("message" "rfc822" NIL NIL NIL "7bit" 17 (NIL "x" NIL NIL NIL NIL NIL NIL NIL NIL)'
            b' ("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 3 1 NIL NIL NIL NIL) 3 NIL NIL NIL NIL)',
        )

    def test_a_content_type_that_is_none_is_plain_text_with_the_parameters_that_can_be_read(self) -> None:
        """RFC 2045 5.2."""
        for value, kind, subtype, parameters in (
            (b"text", b"text", b"plain", b'"charset" "us-ascii"'),
            (b"text/", b"text", b"plain", b'"charset" "us-ascii"'),
            (b"/plain", b"text", b"plain", b'"charset" "us-ascii"'),
            (b"", b"text", b"plain", b'"charset" "us-ascii"'),
            (b"=?", b"text", b"plain", b'"charset" "us-ascii"'),
            (b"unknown", b"text", b"plain", b'"charset" "us-ascii"'),
            (b"multipart", b"text", b"plain", b'"charset" "us-ascii"'),
            (b"multipart/", b"text", b"plain", b'"charset" "us-ascii"'),
            (b"html", b"text", b"html", b'"charset" "us-ascii"'),
            (b"text plain; charset=big5", b"text", b"plain", b'"charset" "big5"'),
            (b"text; charset=big5", b"text", b"plain", b'"charset" "big5"'),
            (b"charset=big5", b"text", b"plain", b'"charset" "big5"'),
            (b"; charset=big5", b"text", b"plain", b'"charset" "big5"'),
            (b"text/html charset=big5", b"text", b"html", b'"charset" "big5"'),
            (b"text/html\r\n charset=big5; a=b", b"text", b"html", b'"charset" "big5" "a" "b"'),
            (b"TEXT/HTML, charset=big5", b"TEXT", b"HTML", b'"charset" "big5"'),
            (b"text/html: charset=big5", b"text", b"html", b'"charset" "big5"'),
            (b'"text/html"; charset=big5', b"text", b"html", b'"charset" "big5"'),
            (b'"text/html; charset=big5"', b"text", b"html", b'"charset" "big5"'),
        ):
            self.assertEqual(
                structure(b"Content-Type: " + value + b"\r\n\r\nx\r\n"),
                b'("%b" "%b" (%b) NIL NIL "7bit" 3 1 NIL NIL NIL NIL)' % (kind, subtype, parameters),
                value,
            )

    def test_a_type_without_a_subtype_that_is_not_text(self) -> None:
        for value, shown in (
            (b"image", b'"image" "" NIL'),
            (b"application/", b'"application" "" NIL'),
            (b"image; name=x", b'"image" "" ("name" "x")'),
            (b"image/png name=x", b'"image" "png" ("name" "x")'),
        ):
            self.assertEqual(
                structure(b"Content-Type: " + value + b"\r\n\r\nx\r\n"),
                b'(%b NIL NIL "7bit" 3 NIL NIL NIL NIL)' % shown,
                value,
            )

    def test_a_multipart_is_one_whatever_stands_before_its_boundary(self) -> None:
        for value in (b"multipart/mixed boundary=b", b'multipart; boundary="b"', b"multipart/; boundary=b"):
            shown = structure(b"Content-Type: " + value + b"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n")
            self.assertTrue(shown.startswith(b'(("text" "plain"'), value)
            self.assertIn(b') "mixed" ("boundary" "b")', shown, value)

    def test_body_of_an_index_that_took_the_text_for_something_else(self) -> None:
        """As indexes did that were stored before such a Content-Type was read."""
        content = b"Content-Type: text/plain charset=big5\r\n\r\nx\r\n"
        index = Index.load(summarise(content.replace(b"text/plain charset", b"xxxx/plain;charset")).index)
        self.assertEqual(body(content, index), b'("text" "plain" ("charset" "big5") NIL NIL "7bit" 3 0)')

    def test_what_nests_too_deep_is_opaque(self) -> None:
        deep = structure(b"Content-Type: message/rfc822\r\n\r\n" * 200)
        self.assertEqual(deep.count(b'"message"'), 99)
        self.assertIn(b'("application" "octet-stream" NIL NIL NIL "7bit" ', deep)

    def test_body_is_body_structure_without_extension_data(self) -> None:
        content = (
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-MD5: x\r\n\r\nx\r\n--b--\r\n"
        )
        index = Index.load(summarise(content).index)
        self.assertEqual(
            body(content, index), b'(("text" "plain" ("charset" "us-ascii") NIL NIL "7bit" 1 0) "mixed")'
        )


class ParameterTests(TestCase):
    def parameters(self, value: bytes) -> bytes:
        text = structure(b"Content-Type: x/y" + value + b"\r\n\r\n")
        return text[len(b'("x" "y" ') : -len(b' NIL NIL "7bit" 0 NIL NIL NIL NIL)')]

    def test_values_are_tokens_or_quoted(self) -> None:
        self.assertEqual(self.parameters(b'; a=b ;\r\n C = "d;\\"e"'), b'("a" "b" "C" "d;\\"e")')

    def test_comments_are_skipped(self) -> None:
        self.assertEqual(self.parameters(b'(x(y)); (z) a=b (c); d="(e)"'), b'("a" "b" "d" "(e)")')

    def test_what_is_no_parameter_is_skipped(self) -> None:
        self.assertEqual(self.parameters(b";; a=b c; d; e=f/g; h="), b'("a" "b" "e" "f" "h" "")')

    def test_an_encoded_word_in_the_wrong_place(self) -> None:
        self.assertEqual(self.parameters(b"; name==?utf-8?b?eA==?= x"), b'("name" "=?utf-8?b?eA==?=")')

    def test_continuations_are_joined(self) -> None:
        self.assertEqual(self.parameters(b"; n*1=b; n*0=a; z=q"), b'("z" "q" "n" "ab")')

    def test_extended_continuations_are_joined_and_stay_encoded(self) -> None:
        self.assertEqual(self.parameters(b"; n*0*=utf-8''%41; n*1=%"), b'("n*" "utf-8\'\'%41%25")')

    def test_continuations_with_a_gap_stay_apart(self) -> None:
        self.assertEqual(self.parameters(b"; n*0=a; n*2*=b"), b'("n*0" "a" "n*2*" "b")')

    def test_a_quote_that_never_closes(self) -> None:
        self.assertEqual(self.parameters(b'; a=b; c="d; e=f'), b'("a" "b")')


class Utf8FormTests(TestCase):
    """RFC 9051 7.5.2 and RFC 6855."""

    def test_literals_of_utf8_are_quoted(self) -> None:
        self.assertEqual(utf8_form(b'(NIL {4}\r\n\xc3\xa9"x ("a"))'), b'(NIL "\xc3\xa9\\"x" ("a"))')

    def test_other_octets_stay_literals(self) -> None:
        self.assertEqual(utf8_form(b"({1}\r\n\xe9)"), b"({1}\r\n\xe9)")

    def test_extended_parameters_are_decoded(self) -> None:
        self.assertEqual(utf8_form(b'("a" "b" "n*" "latin1\'\'%E9")'), b'("a" "b" "n*" "\xc3\xa9")')

    def test_what_only_looks_like_a_parameter_is_not(self) -> None:
        same = b'(NIL "n*" "latin1\'\'%E9" NIL)'
        self.assertEqual(utf8_form(same), same)

    def test_a_literal_that_looks_like_syntax(self) -> None:
        self.assertEqual(utf8_form(b'({3}\r\n")( "x*" "y")'), b'("\\")(" "x*" "y")')

"""Texts for people: decoded headers, charsets, HTML, what SEARCH finds, previews."""

import base64

from twisted.trial.unittest import TestCase

from mailproto.message import (
    NESTING_LIMIT,
    Searchable,
    _preview,
    casemap,
    decode_header,
    decode_text,
    html_text,
    parameter_text,
    preview,
    scan,
    supported_charset,
)


class DecodeHeaderTests(TestCase):
    def test_q_and_b(self) -> None:
        self.assertEqual(decode_header(b"=?utf-8?q?a_=C3=A9?= b =?UTF-8?B?w6k=?="), "a é b é")

    def test_white_space_between_encoded_words_goes(self) -> None:
        self.assertEqual(decode_header(b"=?utf-8?q?a?=\r\n =?latin1?q?=E9?= c"), "aé c")

    def test_a_character_split_between_words(self) -> None:
        self.assertEqual(decode_header(b"=?utf-8?q?=C3?= =?utf-8?q?=A9?="), "é")

    def test_a_language_tag(self) -> None:
        self.assertEqual(decode_header(b"=?us-ascii*en?q?a?="), "a")

    def test_unfolding(self) -> None:
        self.assertEqual(decode_header(b"a\r\n\tb"), "a\tb")

    def test_eight_bit_octets(self) -> None:
        self.assertEqual(decode_header(b"\xc3\xa9"), "é")
        self.assertEqual(decode_header(b"\xe9\x80"), "é€")

    def test_an_unknown_charset(self) -> None:
        self.assertEqual(decode_header(b"=?x-none?q?=C3=A9?="), "é")

    def test_what_is_no_encoded_word_stays(self) -> None:
        for same in (b"=?utf-8?q?a", b"=?utf-8?x?a?=", b"=?utf-8?=", b"?="):
            self.assertEqual(decode_header(same), same.decode())

    def test_broken_base64(self) -> None:
        self.assertEqual(decode_header(b"=?utf-8?b?YWJj*ZA?="), "abcd")
        self.assertEqual(decode_header(b"=?utf-8?b?Y?="), "")


class ParameterTextTests(TestCase):
    def test_an_extended_value(self) -> None:
        self.assertEqual(parameter_text(b"n*", b"iso-8859-1'en'%E9%zz"), "é%zz")

    def test_a_plain_value_with_encoded_words(self) -> None:
        self.assertEqual(parameter_text(b"n", b"=?utf-8?q?=C3=A9?="), "é")


class CharsetTests(TestCase):
    def test_names_that_mail_uses(self) -> None:
        for name, octets, text in (
            ("gb2312", b"\xe9F", "镕"),
            ("windows-1252", b"\x80", "€"),
            ("iso-8859-1", b"\x80", "€"),
            ("ks_c_5601-1987", b"\xb0\xa1", "가"),
            ("iso-8859-8-i", b"\xe0", "א"),
            ('"UTF-8"', b"\xc3\xa9", "é"),
        ):
            self.assertEqual(decode_text(octets, name), text, name)

    def test_wrong_and_unknown_names_fall_back(self) -> None:
        for name in (
            "us-ascii",
            "x-none",
            "",
            "zlib",
            "idna",
            "unicode_escape",
            "rot13",
            "a" * 1000,
            "\0",
            "\udc80",
        ):
            self.assertEqual(decode_text(b"\xc3\xa9", name), "é", name)

    def test_names_that_only_mail_uses(self) -> None:
        for name, octets, text in (
            ("Windows-31J", b"\x87\x40", "\N{CIRCLED DIGIT ONE}"),
            ("iso_8859_1", b"\x80", "\N{EURO SIGN}"),
            ("x-euc-kr", b"\xb0\xa1", "\uac00"),
            ("X-GBK", b"\x81\x30\x81\x30", "\x80"),
        ):
            self.assertEqual(decode_text(octets, name), text, name)

    def test_octets_that_are_not_of_the_charset(self) -> None:
        self.assertEqual(decode_text(b"a\xff", "utf-8"), "a\N{REPLACEMENT CHARACTER}")

    def test_what_is_supported(self) -> None:
        self.assertTrue(supported_charset("ISO-8859-15"))
        for name in (
            "Windows-31J", "windows1252", "win-1251", "x-cp1250", "x-windows-949", "ISO8859-2", "iso_8859_7",
            "ISO-8859-8-I", "ISO-10646-UCS-2", "iso-2022-jp-ms", "x-big5", "x-utf-8", "KOI8R", "unknown-8bit",
        ):  # fmt: skip
            self.assertTrue(supported_charset(name), name)
        self.assertFalse(supported_charset("base64"))
        self.assertFalse(supported_charset("x" * 100))


class CasemapTests(TestCase):
    """RFC 5051."""

    def test_case_and_composition_do_not_matter(self) -> None:
        self.assertEqual(casemap("Éa"), casemap("e\N{COMBINING ACUTE ACCENT}A"))

    def test_titlecase_is_by_single_characters(self) -> None:
        self.assertEqual(casemap("ß"), "ß")
        self.assertEqual(casemap("\N{LATIN SMALL LETTER DZ WITH CARON}"), "Dz\N{COMBINING CARON}")


class HtmlTests(TestCase):
    def test_tags_go_and_entities_are_characters(self) -> None:
        self.assertEqual(html_text("<p>a<b>b</b> &lt;&eacute;<p class='x>'>c<br>d"), "ab <é\n'>c\nd")

    def test_what_is_not_shown(self) -> None:
        self.assertEqual(html_text("a<!-- <b> --><SCRIPT>x</p></script ><style>y</style>b"), "a\nb")

    def test_comments_that_end_where_they_begin(self) -> None:
        self.assertEqual(html_text("a<!-->b<!--->c<!--[if !mso]><!-->d<!--<![endif]-->e<!-- -->f"), "abcdef")

    def test_a_lone_bracket_is_text(self) -> None:
        self.assertEqual(html_text("1 < 2 <3"), "1 < 2 <3")

    def test_what_never_closes_ends_the_text(self) -> None:
        for rest in ("<!-- x", "<script>x", "<p x"):
            self.assertEqual(html_text("a" + rest), "a")


def message(body: bytes, kind: bytes = b"text/plain; charset=utf-8", encoding: bytes = b"8bit") -> bytes:
    return (
        b"Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nContent-Type: %b\r\nContent-Transfer-Encoding: %b\r\n\r\n%b"
        % (
            kind,
            encoding,
            body,
        )
    )


class SearchTests(TestCase):
    def searchable(self, content: bytes) -> Searchable:
        return Searchable(content, scan(content))

    def test_headers_are_decoded_and_case_does_not_matter(self) -> None:
        found = self.searchable(message(b""))
        self.assertTrue(found.in_header(b"SUBJECT", casemap("GRÜ")))
        self.assertFalse(found.in_header(b"From", casemap("grü")))

    def test_an_empty_key_asks_for_presence(self) -> None:
        found = self.searchable(message(b""))
        self.assertTrue(found.in_header(b"subject", ""))
        self.assertFalse(found.in_header(b"x-none", ""))

    def test_bodies_are_decoded(self) -> None:
        for encoding, body in (
            (b"base64", base64.encodebytes("ein Wört".encode())),
            (b"quoted-printable", b"ein W=C3=\r\n=B6rt"),
            (b"8bit", "ein Wört".encode()),
            (b"x-unknown", "ein Wört".encode()),
        ):
            found = self.searchable(message(body, encoding=encoding))
            self.assertTrue(found.in_body(casemap("WÖRT")), encoding)
            self.assertFalse(found.in_body(casemap("grü")), encoding)

    def test_html_is_searched_without_its_tags(self) -> None:
        found = self.searchable(message(b"<p>hel<b>lo</b>", b"text/html"))
        self.assertTrue(found.in_body("HELLO"))
        self.assertFalse(found.in_body("<P>"))

    def test_attachments_that_are_no_text_are_not_searched(self) -> None:
        self.assertFalse(self.searchable(message(b"hello", b"image/png")).in_body("HELLO"))

    def test_text_is_header_and_body(self) -> None:
        found = self.searchable(message(b"hello"))
        for key in ("HELLO", casemap("grüße"), "SUBJECT"):
            self.assertTrue(found.in_text(key), key)
        self.assertFalse(found.in_text("ABSENT"))

    def test_what_is_no_content_type_is_searched_as_text(self) -> None:
        """RFC 2045 5.2; charsets as far as they can be read."""
        body = base64.encodebytes("宏碁".encode("cp950"))
        for kind in (
            b"text; charset=big5",
            b"text/plain charset=big5",
            b"text/plain, charset=big5",
            b"text/plain; format=flowed charset=big5",
            b'text/plain; charset="big5',
            b"text/plain; charset: big5",
            b"text/plain; charset = 'big5' ;",
            b"text/plain; charset*0=bi; charset*1=g5",
            b"text/plain; charset*=us-ascii'en'big5",
            b"text/plain; charset=; charset=big5",
            b"text/; charset=big5",
            b"/plain; charset=big5",
            b"charset=big5",
            b"html; charset=big5",
            b'"text/plain"; charset="big5"',
            b"text/plain\r\n charset=big5",
        ):
            self.assertTrue(self.searchable(message(body, kind, b"base64")).in_body("宏碁"), kind)
        for kind in (b"text", b"", b"=?", b"plain", b"text/plain charset"):
            self.assertTrue(self.searchable(message("Wört".encode(), kind)).in_body(casemap("wört")), kind)
        for kind in (b"image", b"application/", b"image/png charset=utf-8"):
            self.assertFalse(self.searchable(message(b"word", kind)).in_body("WORD"), kind)

    def test_the_charset_that_an_html_text_names_itself(self) -> None:
        octets = "宏碁".encode("cp950")
        meta = b'<meta http-equiv="Content-Type" content="text/html; charset=big5">'
        for kind, head in (
            (b"text/html", meta),
            (b"text/html; charset=us-ascii", b"<html><META charset='Big5'/>"),
            (b"text/html; charset=x-none", meta),
            (b"text/html; charset=big5", b"<meta charset=utf-8>"),
        ):
            self.assertTrue(self.searchable(message(head + octets, kind)).in_body("宏碁"), (kind, head))
        utf_16 = message(b"<meta charset=utf-16>" + "宏碁".encode(), b"text/html")
        self.assertTrue(self.searchable(utf_16).in_body("宏碁"))

    def test_white_space_is_white_space(self) -> None:
        for body, kind in (
            (b"the project\r\nreport", b"text/plain"),
            (b"the project \r\nreport", b"text/plain; format=flowed"),
            ("the\u00a0project\t report".encode(), b"text/plain; charset=utf-8"),
            (b"<p>the project<br>report", b"text/html"),
        ):
            found = self.searchable(message(body, kind))
            for key in ("THE PROJECT REPORT", "THE  PROJECT\r\nREPORT", " THE PROJECT", "PROJECT REPORT "):
                self.assertTrue(found.in_body(key), (body, key))
                self.assertTrue(found.in_text(key), (body, key))
            self.assertFalse(found.in_body("THEPROJECT"))
        found = self.searchable(b"Subject: the\r\n\tproject  report\r\n\r\n")
        for key in ("THE PROJECT REPORT", "PROJECT  REPORT"):
            self.assertTrue(found.in_header(b"subject", key))
            self.assertTrue(found.in_text(key))

    def test_white_space_of_a_long_text(self) -> None:
        found = self.searchable(message(b"a b\r\n" * 500_000 + b"c  d" + b"x" * 2_000_000 + b"\r\ne"))
        for key in ("B A", "B C D", "X E"):
            self.assertTrue(found.in_body(key), key)
        self.assertFalse(found.in_body("A A"))

    def test_what_no_reader_sees_does_not_hide_a_word(self) -> None:
        for body, kind in (
            ("Do\u00adnau\u200bdampf\ufeff".encode(), b"text/plain; charset=utf-8"),
            (b"Donau&shy;dam&#8203;pf", b"text/html"),
            ("Donau\u200e\u202ddampf\u202c".encode(), b"text/plain; charset=utf-8"),
        ):
            found = self.searchable(message(body, kind))
            for key in ("donaudampf", "Donau\u00addampf"):
                self.assertTrue(found.in_body(casemap(key)), (body, key))
        self.assertFalse(self.searchable(message(b"word")).in_body("\u200b"))

    def test_headers_that_are_not_encoded_are_in_the_charset_of_the_text(self) -> None:
        raw = "宏碁".encode("cp950")
        for header in (
            b"Content-Type: text/plain; charset=big5\r\n\r\n",
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n\r\n"
            b"--b\r\nContent-Type: text/plain; charset=big5\r\n\r\n--b--\r\n",
        ):
            found = self.searchable(b"Subject: " + raw + b" =?utf-8?q?=C3=A9?= " + raw + b"\r\n" + header)
            self.assertTrue(found.in_header(b"subject", casemap("宏碁 é 宏碁")))
        for charset in (b"utf-8", b"iso-8859-1", b"us-ascii", b"utf-16", b"x-none", b""):
            kind = b"Content-Type: text/plain; charset=" + charset + b"\r\n\r\n"
            for raw in ("Grüße".encode(), b"Gr\xfc\xdfe"):
                found = self.searchable(b"Subject: " + raw + b"\r\n" + kind)
                self.assertTrue(found.in_header(b"subject", casemap("grüße")), (charset, raw))

    def test_reports_are_searched(self) -> None:
        content = (
            b"Content-Type: multipart/report; boundary=b\r\n\r\n--b\r\n"
            b"Content-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; a@b\r\n--b--\r\n"
        )
        self.assertTrue(self.searchable(content).in_body("RFC822; A@B"))

    def test_texts_of_messages_within_that_are_cut_or_elsewhere(self) -> None:
        for kind in (b"message/partial", b"message/external-body", b"message/disposition-notification"):
            content = message(b"Disposition: shown\r\n\r\nto <somebody>\r\n", kind)
            for key in ("DISPOSITION: SHOWN", "<SOMEBODY>"):
                self.assertTrue(self.searchable(content).in_body(key), kind)

    def test_parts_nested_too_deep_are_searched_as_they_are(self) -> None:
        content = b"".join(
            b"Content-Type: multipart/mixed; boundary=%d-\r\n\r\n--%d-\r\n" % (level, level)
            for level in range(NESTING_LIMIT + 2)
        )
        self.assertTrue(self.searchable(content + b"\r\nhello\r\n").in_body("HELLO"))

    def test_header_fields_of_parts_are_text(self) -> None:
        """RFC 9051 6.4.4: TEXT is the header and the body, and these are in the body."""
        for fields in (
            b'Content-Type: image/png; name="invoice 42.png"\r\nContent-ID: <x>',
            b"Content-Type: image/png;\r\n name=Invoice\r\n\t42.png",
            b"Content-Disposition: attachment; filename==?utf-8?q?invoice_42.png?=",
            b"Content-Disposition: attachment; filename*=utf-8''invoice%2042.png",
            b"Content-Type: a/b; name*0*=iso-8859-1''inv%6Fice; name*1*=%2042.png",
            b"Content-Description: Invoice 42.png",
        ):
            content = (
                b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n%b\r\n\r\nx\r\n--b--\r\n" % fields
            )
            for searched in (content, content.replace(b"\nx\r", b"\n" + b"x" * 20_000 + b"\r")):
                found = self.searchable(searched)
                self.assertTrue(found.in_text("INVOICE 42.PNG"), fields)
                self.assertFalse(found.in_body("INVOICE"), fields)
                self.assertFalse(found.in_header(b"content-description", "INVOICE"), fields)

    def test_all_lines_of_a_header_are_text(self) -> None:
        lines = b">From somebody\r\nSubject: hello\r\n"
        for content in (
            lines + b"\r\nbody\r\n",
            lines.replace(b"\r\n", b"\n") + b"\nbody\n",
            lines + "X: Grüße\r\n".encode() + b"\r\n" + b"body " * 5000,
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n%b\r\nbody\r\n--b--\r\n" % lines,
        ):
            found = self.searchable(content)
            for key in ("FROM SOMEBODY", "SUBJECT: HELLO", "BODY"):
                self.assertTrue(found.in_text(key), (content[:20], key))
            for key in ("SOMEBODY SUBJECT", "SOMEBODYSUBJECT", "HELLO BODY"):
                self.assertFalse(found.in_text(key), (content[:20], key))

    def test_messages_without_a_header_are_text(self) -> None:
        for content in (b"hello world\r\n", b"hello", b"\r\nhello\r\n", b"hello\r\nSubject: x\r\n\r\n"):
            self.assertTrue(self.searchable(content).in_text("HELLO"), content)

    def test_addresses_are_searched_as_envelope_shows_them(self) -> None:
        for value, keys in (
            (b"<user-from (comment)@ (comment) domain.org>", ("USER-FROM@DOMAIN.ORG", "(COMMENT)")),
            (b'"J. Doe" <"j doe"@example (org) . net>', ("J DOE@EXAMPLE.NET", '"J DOE"', "J. DOE")),
            (b'"two" "words" <a@b>', ("TWO WORDS", "A@B")),
            (b'"a\\"b" <c@d>', ('A"B', 'A\\"B')),
            (b"Team: a@b, c (x)@d;", ("TEAM", "C@D")),
            (b"=?utf-8?q?J=C3=B6rg?= <joerg (x)@example.org>", (casemap("jörg"), "JOERG@EXAMPLE.ORG")),
        ):
            for filler in (b"", b"x" * 20_000):
                found = self.searchable(b"From: " + value + b"\r\n\r\n" + filler)
                for key in keys:
                    self.assertTrue(found.in_addresses(b"From", key), (value, key))
                self.assertTrue(found.in_addresses(b"from", ""))
                for key in ("", "A@B"):
                    self.assertFalse(found.in_addresses(b"to", key))
                self.assertFalse(found.in_addresses(b"from", "ABSENT"))

    def test_headers_of_messages_within_are_body(self) -> None:
        found = self.searchable(b"Content-Type: message/rfc822\r\n\r\nSubject: inner\r\n\r\ntext")
        self.assertTrue(found.in_body("INNER"))
        self.assertFalse(found.in_header(b"subject", "INNER"))


class PreviewTests(TestCase):
    def preview(self, content: bytes) -> str:
        return preview(content, scan(content))

    def test_blanks_are_one_and_quotes_left_out(self) -> None:
        self.assertEqual(
            self.preview(message(b"> quoted\r\nown\r\n\r\n  words \t here\r\n")), "own words here"
        )

    def test_quotes_where_there_is_nothing_else(self) -> None:
        self.assertEqual(self.preview(message(b"> quoted\r\n")), "> quoted")

    def test_200_characters(self) -> None:
        self.assertEqual(self.preview(message("é".encode() * 300)), "é" * 200)

    def test_of_a_long_text_without_a_charset(self) -> None:
        """The limit of what is read splits a character, and half a character is not UTF-8."""
        for before in ("", "x", "xx", "xxx"):
            for character in "é漢😀":
                text = before + character * 40_000
                self.assertEqual(self.preview(message(text.encode())), text[:200])

    def test_plain_text_before_html(self) -> None:
        content = (
            b"Content-Type: multipart/alternative; boundary=b\r\n\r\n"
            b"--b\r\nContent-Type: text/html\r\n\r\n<p>html\r\n"
            b"--b\r\n\r\nplain\r\n--b--\r\n"
        )
        self.assertEqual(self.preview(content), "plain")

    def test_plain_text_that_is_no_alternative(self) -> None:
        """A log that is attached, or a footer, is not what a person reads first."""
        html = b"Content-Type: text/html\r\n\r\n<p>html\r\n"
        alternative = b"Content-Type: multipart/alternative; boundary=c\r\n\r\n--c\r\n" + html
        attached = b"Content-Disposition: attachment; filename=x\r\n\r\nattached\r\n"
        for parts, shown in (
            ([html, b"\r\nfooter\r\n"], "html"),
            ([html, attached], "html"),
            ([attached, html], "html"),
            ([attached, b"\r\nplain\r\n"], "plain"),
            ([attached], "attached"),
            ([alternative + b"--c--\r\n", b"\r\nfooter\r\n"], "html"),
            ([alternative + b"--c\r\n\r\nplain\r\n--c--\r\n", b"\r\nfooter\r\n"], "plain"),
        ):
            content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n"
            content += b"".join(b"--b\r\n" + part for part in parts) + b"--b--\r\n"
            self.assertEqual(self.preview(content), shown, parts)

    def test_parts_that_are_looked_at(self) -> None:
        """Without a limit, the types of 10,000 parts took 640 ms."""
        for header, count, is_found in (
            (b"X: y\r\n", _preview._PARTS - 2, True),
            (b"X: y\r\n", _preview._PARTS, False),
            (b"X: " + b"y" * _preview._HEADER_OCTETS + b"\r\n", 1, False),
        ):
            image = b"--b\r\nContent-Type: image/png\r\n" + header + b"\r\nx\r\n"
            content = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n" + image * count
            self.assertEqual(self.preview(content + b"--b\r\n\r\ntext\r\n--b--") == "text", is_found, count)

    def test_html_alone(self) -> None:
        self.assertEqual(self.preview(message(b"<h1>a</h1><p>b", b"text/html")), "a b")

    def test_no_text(self) -> None:
        self.assertEqual(self.preview(message(b"x", b"image/png")), "")

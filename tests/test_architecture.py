"""The layers hold, and the public names are those that were decided on."""

from __future__ import annotations

import ast
import importlib
import re
import subprocess
import sys
from collections.abc import Container, Iterator
from graphlib import TopologicalSorter
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.processes import CHECKOUT

PUBLIC_NAMES = {
    "mailproto.accounts": """
        MAX_COMPARED account_key account_keys check_account_name full_name invisible_in
    """,
    "mailproto.aio": "bridge running_reactor",
    "mailproto.auth": """
        Certificate CertificateChecker DirectoryChecker Password StoreRealm Token TokenChecker hash_password
        password_portal store_portal
    """,
    "mailproto.auth.credentials": """
        ApopDigest BearerToken ClientCertificate IApopDigest IBearerToken IClientCertificate IClientPassword
        IProxyLogin
        IScramChecker IScramProof ProxyLogin ScramKeys ScramProof
    """,
    "mailproto.auth.passwords": """
        MAX_REMEMBERED MAX_WAITING PasswordVerifier REMEMBER SCRAM_ITERATIONS disabled_record enabled_record
        is_complete is_disabled password_matches
    """,
    "mailproto.auth.sasl": """
        Challenge ClientCredentials ClientMechanism DEFAULT_MECHANISMS MAX_RESPONSE SASLError SASLServer
        SERVER_MECHANISMS ServerMechanism client_mechanisms decode_base64 server_mechanisms
    """,
    "mailproto.auth.signing_in": "FAILURE_DELAY Login add_ons_of ensure_secret sign_in_refused",
    "mailproto.awaiting": """
        Pending Result at_once deferred_of does_nothing drive has_nothing_to_do hint nothing settle turn
    """,
    "mailproto.backends": """
        DEFAULT_MAILBOXES MAX_ANNOTATIONS MAX_ANNOTATIONS_OCTETS MAX_ANNOTATION_NAME MAX_ANNOTATION_OCTETS
        MAX_COMBINED_KEYWORDS MAX_DEPTH MAX_KEYWORDS MAX_KEYWORDS_OCTETS MAX_KEYWORD_LENGTH MAX_MAILBOXES
        MAX_MAILBOX_KEYWORDS MAX_NAMES_OCTETS MAX_NAME_OCTETS MemoryStore SQLiteStore STORES SimpleAccount
        SimpleMailbox SingleStore check_keywords check_name check_names check_rename check_special_use
        kept_flags open_store store_schemes
    """,
    "mailproto.backends.remote": """
        FilteredAccount JoinedAccount RemoteAccount RemoteMailbox RemoteRealm remote_portal
    """,
    "mailproto.client": "Client ClientPool ClientTimeouts Credentials MailboxURL ServerAddress",
    "mailproto.client.base": """
        ClientConnection ClientSession ConnectionListener GREETING Job SASLAnswer SASLDialect SASLStatus
        Turn aborting choose_mechanisms host_and_port sign_in
    """,
    "mailproto.client.errors": """
        AuthenticationRefused AuthenticationUnavailable ClientError CommandRefused ConnectFailed
        ConnectionLost GreetingRefused NotOffered OutOfOrder ProtocolViolation QueueTimeout ServerReply
        ServerTimeout ServerUntrusted ServiceClosing TLSFailed TLSUnavailable
    """,
    "mailproto.connection": """
        Connection ConnectionOver Peer ServerConnection ServerFactory UNKNOWN Wire own_hostname
        server_hostname
    """,
    "mailproto.connection.commands": """
        CommandRules CommandSession Commands ServerCommand State check_capabilities
    """,
    "mailproto.connection.limits": "CloseReason Limits",
    "mailproto.connection.proxy": """
        MAX_PROXY_HEADER Networks ProxiedFactory ProxyHeader ProxyHeaderError UNIX network_of
        parse_proxy_header
    """,
    "mailproto.content": "CHUNK Content Octets chunks unwrapped",
    "mailproto.delivery": """
        CatchAllDelivery Delivery DeliverySession FunctionDelivery MAX_CACHED MailboxDelivery PerSession
        TRUST accepted bounce
    """,
    "mailproto.delivery.routing": "LMTPDelivery RouterDelivery SMTPDelivery",
    "mailproto.delivery.reports": "Action MAX_RETURNED RecipientStatus Report report",
    "mailproto.dkim": "KeyFolder SigningKey author_domain signatures signed_again",
    "mailproto.domains": """
        DomainTable ascii_domain canonical_domain domain_fault ends_in_number is_valid_international
        literal_address normal_domain
    """,
    "mailproto.errors": """
        AccountExists AdministratorNeeded AnnotationTooLarge AuthenticationCancelled AuthenticationFailed
        AuthorizationFailed CredentialsExpired EncryptionRequired
        InvalidAccountName InvalidAnnotation InvalidMailboxName InvalidRights LeaseLost LimitReached MailError
        MailboxExists MailboxInUse MalformedAuthentication MessageTooLarge NoPermission NoSuchAccount
        NoSuchMailbox NoSuchMessage NoSuchQueued NoSuchQuotaRoot OverQuota ReadOnly RecipientUnknown Refused
        RelayDenied StorageFull StoreUnusable TemporaryAuthenticationFailure TooManyAnnotations Unavailable
        UnknownMechanism UnsupportedSpecialUse UnwantedInitialResponse WireError storage_failure
    """,
    "mailproto.files": "give_away make_folder sync_folder write_private",
    "mailproto.fetching": "FetchProgress FetchResult Maildir Mbox Watch fetch_new watch",
    "mailproto.imap": "IMAPClient IMAPServerFactory",
    "mailproto.imap.values": """
        Alert AppendedTo BodyStructure Copied Events Exists Expunged Fetched FetchedMessage FetchedPart
        FlagsChanged IMAPEvent KnownMailbox MailboxCounts MailboxInfo MailboxListed
        MessageEnvelope MetadataChanged Missed Namespace Namespaces Query QuotaRoot SearchResult
        SelectedMailbox StatusChanged Stored ThreadNode UidSet Uids Vanished
    """,
    "mailproto.imap.extensions": """
        AppendData Batch CORE Column CommandSpec Condition Content Cost CreateParameter
        Extension Extract Feed FetchColumn FetchModifier FetchPiece FetchRequest FetchedMessage
        LITERAL_MINUS ListReturn ListSelection PerServer PerSession RefusedWithCode STANDARD
        Search SearchFound SearchKeys SearchReturn SelectParameter Session Sink StatusItem
        StoreModifier StoreRequest Tables Updates
    """,
    "mailproto.imap.limits": "IMAPClientLimits IMAPLimits IMAPTimeouts",
    "mailproto.imap.server": "BadCommand IMAPCommandSession IMAPServer MailboxView",
    "mailproto.imap.wire": """
        Address All And Announcement Append AppendMessage ArgumentReader Authenticate Body
        Command CommandSyntax ContinuationLine Copy Create DateKey Enable Event Fetch
        FetchAttribute FetchItem FetchSection Flagged Grammar Header IMAPServerWire
        IMAPWireError IMAPWireLimits Id KeyReader LineReader List Literal LiteralChunk
        LiteralRequest Login Lsub MailboxName NO_ARGUMENTS MessageURL NO_OPTIONS New NoArguments Not
        Numbers Old Option Options Or ReadError Recent Rename Respelled SAVED Search SearchKey Select
        SequenceSet Size Status Steps Store Streamed StreamedLiteral Syntax Text UidExpunge Uids
        Upload astring bad_url encode_mailbox flag_list format_set internal_date message_url no_value
        ordered_set_pieces own_arguments quoted_or_literal set_pieces
    """,
    "mailproto.interfaces": """
        IAccount IAccountChanges IAddOns IAliases IBoundedReading ICheckable IDelivery IDeliverySession
        IDeliverySessions IDirectory IExpander IFixedMailboxes IHandover IIdentity IMailbox IMetadata
        IObjectIds IOwnership IPermittedCommands IPlacing IQueue IQueueRunner IQueueStore IRecent IRevocable
        IServiceExtensions IStore IVerifier
    """,
    "mailproto.interfaces.add_ons": """
        IAccessControl IAccessKeys IAnnotations IFinding IIndexed IMailboxChanges INearWords IPOP3Policy
        IQuota IQuotas IReplacing ISaveDates
    """,
    "mailproto.listening": "ListenError Listener is_on_loopback",
    "mailproto.maillog": """
        LINE MAX_REFUSALS MAX_VALUE MailLog NAMESPACE observer_of
    """,
    "mailproto.message": """
        ADDRESSES_LIMIT ANCESTORS_LIMIT Attachment BOUNDARY_LIMIT BYTE_ORDER_MARK ENVELOPE_LIMIT
        FIELDS_LIMIT FIELD_LIMIT FILE_NAME_LIMIT FINDING_VERSION Field Forest HEADER_LIMIT HeaderSection
        HeaderValues IDS_LIMIT INDEXED_LIMIT Index Mailbox Message NESTING_LIMIT NamedAddress NotConvertible
        PARTS_LIMIT PREVIEW_LENGTH Part RENDER_VERSION Relations SHOWN_TEXT_LIMIT STRUCTURED_LIMIT
        STRUCTURE_LIMIT SUBJECT_LIMIT SURROGATE_FIELD_LIMIT SearchTexts Searchable Section Sections Slices
        Steps Summary TEXT_LIMIT ThreadMessage UnknownEncoding Working ascii_header_steps base_subject binary
        binary_size binary_size_steps
        body body_steps casemap comment_end date_text decode_header decode_text decoded_structure
        display_name encode_header finish fold forest_pieces forest_steps header_fields header_section
        header_values header_values_steps html_text is_indexed_key is_mbox_line is_reply may_be_header
        message_id message_ids parameter_text parse_addresses parse_date plain_header_values preview
        received references relations scan scan_steps search_key search_texts_steps section
        sent_date seven_bit_form_steps sort_mailbox structure_steps summarise summarise_steps
        supported_charset top top_steps unquote utf8_form
    """,
    "mailproto.mirroring": """
        MailboxComparison MirrorError MirrorFailure MirrorProgress MirrorReport RemoteMailbox compare_accounts
        mirror mirror_account
    """,
    "mailproto.model": """
        ANSWERED AccountChanges Address AppendedMessage Changes CheckResult ContentTest DELETED DELIMITER
        DRAFT DestinationState Envelope FLAGGED FlagChange FlagColumns FlagOperation Found INBOX
        InAddresses InField InText IndexState Lease MAX_LOGIN_DELAY MailboxEntry MailboxStatus MessageFlags
        MessageInfo
        Metadata NO_LIMIT NO_PARAMETERS NO_SERVICE_EXTENSIONS NULL_PATH NewMessage NewQueued Outcome
        POP3Policy PERMANENT_FLAGS Parameters Part Placement QueueChange QueueCounts QueueFilter QueueState
        QueuedMessage QueuedRecipient Quota QuotaLimits QuotaUse Recipient RecipientResult SEEN
        SYSTEM_FLAGS SentOn ServiceExtensions Session SortKey SortOrder StoreResult TLSInfo
        ThreadAlgorithm Threads VerifiedName canonical_mailbox_name
    """,
    "mailproto.observing": """
        Accepted Appended Client Connected Delivered Disconnected Expanded HasClient IObserver
        Observer ObserverOrMore Observers Refusal Relayed Reported SignInRefused SignedIn Stalled TurnedAway
        Unreached client_of
    """,
    "mailproto.pop3": "POP3Client POP3ServerFactory",
    "mailproto.pop3.limits": """
        MAX_UNANSWERED POP3Limits POP3Timeouts READ_AHEAD_MESSAGES READ_AHEAD_OCTETS
    """,
    "mailproto.pop3.server": "POP3CommandSession POP3Server",
    "mailproto.pop3.wire": """
        Body Command DotStuffing DotUnstuffing MAX_REPLY POP3ClientWire POP3Event POP3ReplyError
        POP3ReplyLimits POP3ServerWire POP3SyntaxError POP3WireLimits Reply Response challenge err
        multiline ok
    """,
    "mailproto.printable": "MAX_SHOWN printable",
    "mailproto.relay": "MX NextHop QueueDelivery RelayAgent Routes",
    "mailproto.relay.aliases": "AliasFile AliasLimits SRS",
    "mailproto.relay.limits": "RelayLimits Schedule",
    "mailproto.relay.servers": "DNSResolver Exchange Exchanges Opener",
    "mailproto.relay.policies": "MTASTS TLSPolicies TLSReports",
    "mailproto.service": """
        AccountSettings AuthSettings LogSettings MailService Options POP3Settings ProxySettings QuotaSettings
        RelaySettings Reporter SMTPSettings ServiceLimits SettingError Settings TLSSettings User makeService
        make_service
    """,
    "mailproto.smtp": "SMTPClient SMTPSender SMTPServerFactory SendResult send_mail",
    "mailproto.smtp.errors": "AllRefused UNCERTAIN outcome_of",
    "mailproto.smtp.limits": "MAX_MESSAGE_SIZE SMTPLimits SMTPTimeouts TRUSTED_CLIENT_LIMITS",
    "mailproto.smtp.lmtp": "LMTPClient LMTPServer LMTPServerFactory",
    "mailproto.smtp.sending": "Transmission",
    "mailproto.smtp.server": "SMTPCommandSession SMTPServer",
    "mailproto.smtp.wire": """
        Auth AuthResponse Bdat Capabilities ChunkEnd ChunkedText Command Data DataChunk DataEnd
        DataFault DeliverBy DotStuffer Etrn Event Expn Hello Help LineEnds MAX_ENVELOPE_ID
        MAX_ORIGINAL_RECIPIENT Mail MailOptions NO_CAPABILITIES Noop Notify OriginalRecipient OwnCommand
        Quit Rcpt RcptOptions Reply ReplyLimits Returned Rset SMTPClientWire SMTPReplyError
        SMTPServerWire SMTPSyntaxError SMTPWireLimits StartTLS UnsafeArgument VERBS Vrfy
        XCLIENT_ATTRIBUTES XClient ascii_domain decode_xtext encode_xtext is_canonical is_host
        mail_options parse_capabilities rcpt_options read_address render_bdat render_line render_lines
        render_path render_reply
    """,
    "mailproto.spool": "SpoolFile",
    "mailproto.testing": """
        AccountConformance ChangesConformance Connected DeliveryConformance Dialogue DialogueError
        DirectoryConformance ELSEWHERE FEEDS Feed LOOPBACK MailboxConformance MemoryTransport
        ObjectIdConformance QueueConformance ReadingConformance ReceivedMessage RecordingDelivery
        RunningServer StoreConformance StoreDeliveryConformance StoreFixture connected make_envelope
        play_each_way running_server wait_for_message
    """,
    "mailproto.tls": """
        Channel HandshakeFailed ServerTLS TLSFilesError client_channel client_tls dane_tls
        ensure_self_signed is_verified server_channel server_tls
    """,
    "mailproto.typing": """
        ClientEndpoint ClientTLSContext Reactor ReactorTime ServerEndpoint ServerTLSContext
    """,
}
"""By module; a name that is added or taken away is a decision, made here too."""


def module_of(path: Path) -> str:
    """The name of the module in a file."""
    return ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path, modules: Container[str]) -> Iterator[str]:
    """Those of the modules that a file imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text())):
        found = []
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            found = [name if name in modules else node.module for name in inner]
        yield from (name for name in found if name in modules)


class LayerTests(SynchronousTestCase):
    def test_imports_point_downwards(self) -> None:
        """import-linter, with the contracts in setup.cfg."""
        try:
            importlib.import_module("importlinter")
        except ImportError:
            raise SkipTest("needs import-linter: pip install 'mailproto[dev]'") from None
        program = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports())"
        done = subprocess.run(
            [sys.executable, "-c", program], cwd=CHECKOUT, capture_output=True, text=True, check=False
        )
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

    def test_imap_imports_go_in_no_circle(self) -> None:
        """Session, tables, handlers, server: each knows only those before it, types included."""
        modules = {module_of(path): path for path in Path(CHECKOUT, "mailproto/imap").rglob("*.py")}
        graph = {name: set(imported(path, modules)) for name, path in modules.items()}
        self.assertIn("mailproto.imap.server._session", graph["mailproto.imap.server._fetch"])
        TopologicalSorter(graph).prepare()  # raises CycleError

    def test_plugin_folders_are_no_packages(self) -> None:
        """An ``__init__.py`` there would hide Twisted's own plugins (or Twisted)."""
        self.assertEqual(
            sorted(str(path.relative_to(CHECKOUT)) for path in Path(CHECKOUT, "twisted").rglob("*.py")),
            ["twisted/plugins/mailproto_plugin.py"],
        )


class PublicNameTests(SynchronousTestCase):
    def test_pinned(self) -> None:
        for module_name, names in PUBLIC_NAMES.items():
            with self.subTest(module=module_name):
                module = importlib.import_module(module_name)
                self.assertEqual(sorted(module.__all__), sorted(names.split()))

    def test_there(self) -> None:
        for module_name in PUBLIC_NAMES:
            module = importlib.import_module(module_name)
            for name in module.__all__:
                with self.subTest(module=module_name, name=name):
                    self.assertTrue(hasattr(module, name))

    def test_one_import_path(self) -> None:
        homes: dict[int, dict[str, str]] = {}
        for module_name, names in PUBLIC_NAMES.items():
            module = importlib.import_module(module_name)
            for name in names.split():
                if callable(value := getattr(module, name)):
                    homes.setdefault(id(value), {})[module_name] = name
        self.assertEqual([paths for paths in homes.values() if len(paths) > 1], [])

    def test_none_is_left_out(self) -> None:
        """Modules of the top level, packages, their modules, wires and servers; the rest is private."""
        top = Path(CHECKOUT, "mailproto")
        found = {
            ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
            for pattern in (
                "*.py",
                "*/*.py",
                "*/wire/__init__.py",
                "*/server/__init__.py",
                "*/remote/__init__.py",
            )
            for path in top.glob(pattern)
            if not path.stem.startswith("_") or path.stem == "__init__"
        }
        self.assertEqual(found, {"mailproto", *PUBLIC_NAMES})


class DocumentTests(SynchronousTestCase):
    """ARCHITECTURE.md names what is there."""

    def test_files(self) -> None:
        text = Path(CHECKOUT, "ARCHITECTURE.md").read_text()
        named = re.findall(r"[`(]((?:\w+/)*\w+\.py)[`)]", text)
        self.assertGreater(len(named), 10)
        for name in named:
            self.assertTrue(
                Path(CHECKOUT, name).exists() or list(Path(CHECKOUT, "mailproto").rglob(name)), name
            )

    def test_names(self) -> None:
        text = Path(CHECKOUT, "ARCHITECTURE.md").read_text()
        named = re.findall(r"`(?:mailproto\.)?([a-z_]+(?:\.[a-z_]+)*)\.(\w*[A-Z]\w+)`", text)
        self.assertGreater(len(named), 10)
        for module, name in named:
            self.assertTrue(hasattr(importlib.import_module(f"mailproto.{module}"), name), f"{module}.{name}")


class RegularExpressionTests(SynchronousTestCase):
    def test_no_group_is_possessive(self) -> None:
        """Debian's Python 3.11.2 matches ``(?:...)*+`` wrongly (CPython issue 106052).

        A possessive repetition of one character, such as ``[a-z]*+``, is right everywhere.
        """
        for path in Path(CHECKOUT, "mailproto").rglob("*.py"):
            self.assertNotRegex(path.read_text(), r"\)[*+?]\+", str(path))

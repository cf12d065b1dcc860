"""What the optional contracts for IMAP's extensions add to the tables."""

from __future__ import annotations

__all__ = ["ADD_ONS"]

_QUOTAS = """
-- The messages of all mailboxes of the account, and their octets; triggers keep them.  Messages of deleted
-- mailboxes do not count, although they are removed later.
ALTER TABLE accounts ADD COLUMN messages INTEGER NOT NULL DEFAULT 0;
ALTER TABLE accounts ADD COLUMN octets INTEGER NOT NULL DEFAULT 0;
-- NULL for the default one.
ALTER TABLE accounts ADD COLUMN messages_limit INTEGER;
ALTER TABLE accounts ADD COLUMN octets_limit INTEGER;
UPDATE accounts SET (messages, octets) = (
    SELECT coalesce(sum(messages), 0), coalesce(sum(size), 0) FROM mailboxes WHERE account = accounts.id
);
CREATE TABLE default_limits (messages INTEGER, octets INTEGER);  -- NULL for none
INSERT INTO default_limits VALUES (NULL, NULL);
CREATE TRIGGER mailboxes_filled AFTER UPDATE OF messages, size ON mailboxes
WHEN new.messages <> old.messages OR new.size <> old.size BEGIN
    UPDATE accounts SET messages = messages + new.messages - old.messages,
        octets = octets + new.size - old.size WHERE id = new.account;
END;
CREATE TRIGGER mailboxes_discarded AFTER DELETE ON mailboxes WHEN old.messages <> 0 OR old.size <> 0 BEGIN
    UPDATE accounts SET messages = messages - old.messages, octets = octets - old.size
        WHERE id = old.account;
END;
"""

_SAVE_DATES = """
-- When the message was put into this mailbox; NULL if that was not kept.
ALTER TABLE messages ADD COLUMN saved INTEGER;
"""

_ANNOTATIONS = """
-- Those of mailboxes, and of the server (0), by the account of the mailbox.
CREATE TABLE annotations (
    account INTEGER NOT NULL,
    mailbox INTEGER NOT NULL,
    viewer INTEGER NOT NULL,  -- the account that alone sees it, or 0
    entry TEXT NOT NULL,
    modseq INTEGER NOT NULL,
    value BLOB,  -- NULL: it was removed
    PRIMARY KEY (account, mailbox, viewer, entry)
) WITHOUT ROWID;
CREATE TRIGGER annotations_added AFTER INSERT ON annotations BEGIN
    INSERT INTO names VALUES (
        new.account, 'annotations', 1, length(new.entry) + coalesce(length(new.value), 0)
    ) ON CONFLICT DO UPDATE SET number = number + 1, octets = octets + excluded.octets;
END;
CREATE TRIGGER annotations_changed AFTER UPDATE OF value ON annotations BEGIN
    UPDATE names SET octets = octets + coalesce(length(new.value), 0) - coalesce(length(old.value), 0)
        WHERE account = new.account AND kind = 'annotations';
END;
CREATE TRIGGER annotations_removed AFTER DELETE ON annotations BEGIN
    UPDATE names SET number = number - 1,
        octets = octets - length(old.entry) - coalesce(length(old.value), 0)
        WHERE account = old.account AND kind = 'annotations';
END;
"""

_MAILBOX_CHANGES = """
-- Of the last change of the list of mailboxes or of the subscriptions.
ALTER TABLE accounts ADD COLUMN listed INTEGER NOT NULL DEFAULT 0;
UPDATE accounts SET listed = modseq;
CREATE INDEX mailboxes_changed ON mailboxes (account, modseq);
"""

_ACCESS_KEYS = """
ALTER TABLE mailboxes ADD COLUMN access_key BLOB;  -- NULL: nobody has asked for it yet
"""

_ACCESS_CONTROL = """
-- The rights of others; identifiers as `mailproto.backends._rights` stores them.
CREATE TABLE acl (
    mailbox INTEGER NOT NULL, identifier TEXT NOT NULL, rights TEXT NOT NULL,
    PRIMARY KEY (mailbox, identifier)
) WITHOUT ROWID;
CREATE INDEX acl_identifiers ON acl (identifier);
"""

ADD_ONS = _QUOTAS + _SAVE_DATES + _ANNOTATIONS + _MAILBOX_CHANGES + _ACCESS_KEYS + _ACCESS_CONTROL

"""What quotas add to the tables."""

from __future__ import annotations

__all__ = ["QUOTAS"]

QUOTAS = """
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

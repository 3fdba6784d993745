"""The tables of a list's database, and the statements that upgrade older formats.

A row of `records` or `segments` belongs to the generations from `since` up to, not including,
`until`: see `database.is_in_generation`.
"""

from __future__ import annotations

FORMAT = 3

_FIRST_TABLES = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE generations(
  number INTEGER PRIMARY KEY,
  time REAL NOT NULL,           -- when it was made, seconds since 1970
  confirmed REAL NOT NULL,      -- when it was made, or an import last found nothing to change
  what TEXT NOT NULL,
  states TEXT NOT NULL,         -- JSON: how many records are in each state
  library TEXT NOT NULL,
  who TEXT, note TEXT);         -- who asked for it, and why
CREATE TABLE imports(
  id INTEGER PRIMARY KEY,
  generation INTEGER NOT NULL, time REAL NOT NULL,
  file TEXT NOT NULL, format TEXT NOT NULL, source TEXT NOT NULL, sha256 TEXT NOT NULL,
  counts TEXT NOT NULL,         -- JSON
  who TEXT);
CREATE TABLE records(
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL, entry TEXT NOT NULL,
  state TEXT NOT NULL,          -- in effect: what the source says, with our opinions
  categories TEXT NOT NULL,     -- JSON: [[scheme, code], ...]
  labels TEXT NOT NULL,         -- JSON: the source's other columns, unchanged
  updated TEXT,                 -- the source's own time, as written
  fingerprint BLOB NOT NULL,    -- of what the source says: not of source, entry and our opinions
  import INTEGER NOT NULL,
  since INTEGER NOT NULL, until INTEGER,
  said TEXT NOT NULL);          -- the state by the source alone
CREATE UNIQUE INDEX records_current ON records(source, entry) WHERE until IS NULL;
CREATE TABLE hashes(
  record INTEGER NOT NULL, kind TEXT NOT NULL, value BLOB NOT NULL,
  quality INTEGER,              -- 0 to 100, where recorded
  why_not TEXT,                 -- why it is not compared; NULL where it is
  PRIMARY KEY(record, kind, value)) WITHOUT ROWID;
CREATE TABLE segments(
  file TEXT PRIMARY KEY, kind TEXT NOT NULL, rows INTEGER NOT NULL,
  since INTEGER NOT NULL, until INTEGER) WITHOUT ROWID;
CREATE INDEX segments_by_until ON segments(until);
"""
# New in format 2. Rows of `opinions` belong to generations like records.
_NEW_TABLES = """
CREATE TABLE quarantine(
  id INTEGER PRIMARY KEY,
  import INTEGER NOT NULL, line INTEGER NOT NULL, field TEXT, reason TEXT NOT NULL,
  row TEXT,                     -- JSON: what could be read of it; NULL where nothing could
  released INTEGER);            -- the generation that took it in
CREATE TABLE opinions(
  id INTEGER PRIMARY KEY,
  source TEXT NOT NULL, entry TEXT NOT NULL,
  who TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL, time REAL NOT NULL,
  since INTEGER NOT NULL, until INTEGER);
CREATE INDEX opinions_by_entry ON opinions(source, entry);
CREATE TABLE judged(            -- values that were released, or that some source was seen to repeat
  kind TEXT NOT NULL, value BLOB NOT NULL,
  why_not TEXT,                 -- NULL: released
  PRIMARY KEY(kind, value)) WITHOUT ROWID;
CREATE TABLE terms(
  source TEXT PRIMARY KEY, tlp TEXT, redistribution INTEGER, expires TEXT, note TEXT,
  who TEXT, time REAL NOT NULL) WITHOUT ROWID;
"""
# New in format 3. Rows belong to a version of a record like hashes.
_FRAMES = """
CREATE TABLE frames(            -- of the videos of a version, those that are compared
  record INTEGER NOT NULL,
  value BLOB NOT NULL,          -- the PDQ of a frame
  count INTEGER NOT NULL,       -- in how many frames
  PRIMARY KEY(record, value)) WITHOUT ROWID;
CREATE INDEX frames_by_value ON frames(value);
"""
_FROM_1 = f"""
ALTER TABLE generations ADD COLUMN who TEXT;
ALTER TABLE generations ADD COLUMN note TEXT;
ALTER TABLE imports ADD COLUMN who TEXT;
ALTER TABLE records ADD COLUMN said TEXT NOT NULL DEFAULT 'confirmed';
UPDATE records SET said = state;
ALTER TABLE quarantine RENAME TO old_quarantine;
{_NEW_TABLES}
INSERT INTO quarantine(import, line, field, reason)
  SELECT import, line, field, reason FROM old_quarantine;
DROP TABLE old_quarantine;
"""

# The first import of a list drops this index, and creates it after all hashes are inserted.
VALUE_INDEX = "CREATE INDEX hashes_by_value ON hashes(kind, value)"
# The generation that ended a version, or `NEVER`. So all versions of a recent generation are in one
# range of the index below, and queries skip older versions.
NEVER = 9223372036854775807
END_COLUMN = f"coalesce({{rows}}until, {NEVER})"
# Lists of older versions get this index with their next change, and older versions maintain it.
END_INDEX = f"CREATE INDEX IF NOT EXISTS records_by_end ON records({END_COLUMN.format(rows='')})"
ALL_TABLES = f"{_FIRST_TABLES} {VALUE_INDEX}; {END_INDEX}; {_NEW_TABLES} {_FRAMES}"


def build_upgrade(format: int) -> str:
    """Return the statements that upgrade a database from an older format."""
    return " ".join((_FROM_1, _FRAMES)[format - 1 :])

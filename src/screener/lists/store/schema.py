"""The tables of a list's database.

A row of `records`, `segments` or `opinions` belongs to the generations from `since` up to, not
including, `until`: see `database.is_in_generation`.
"""

from __future__ import annotations

FORMAT = 1

# The generation that ended a version, or `NEVER`. So all versions of a recent generation are in one
# range of the index below, and queries skip older versions.
NEVER = 9223372036854775807
END_COLUMN = f"coalesce({{rows}}until, {NEVER})"

# The first import of a list drops this index, and creates it after all hashes are inserted.
VALUE_INDEX = "CREATE INDEX hashes_by_value ON hashes(kind, value)"

TABLES = f"""
CREATE TABLE meta(name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE generations(
  number INTEGER PRIMARY KEY,
  time REAL NOT NULL,           -- when it was made, seconds since 1970
  confirmed REAL NOT NULL,      -- when it was made, or an import last found nothing to change
  what TEXT NOT NULL,
  counts TEXT NOT NULL,         -- JSON: see `counts.Group`
  library TEXT NOT NULL,
  who TEXT, note TEXT,          -- who asked for it, and why
  target INTEGER,               -- the generation that a rollback restored
  source TEXT, entry TEXT);     -- of an opinion, or of a released value
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
{VALUE_INDEX};
CREATE INDEX records_by_end ON records({END_COLUMN.format(rows="")});
-- Withdrawals that belong to no generation: see `Writer.write_unapplied`.
CREATE INDEX records_unapplied ON records(source, entry) WHERE until = since;
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
CREATE TABLE frames(            -- of the videos of a version, those that are compared
  record INTEGER NOT NULL,
  value BLOB NOT NULL,          -- the PDQ of a frame
  count INTEGER NOT NULL,       -- in how many frames
  PRIMARY KEY(record, value)) WITHOUT ROWID;
CREATE INDEX frames_by_value ON frames(value);
"""

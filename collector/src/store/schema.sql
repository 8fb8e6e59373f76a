-- The node's store, format 1. The columns of samples that hold a status are added by the program from core's own list
-- of fields (columns.rs), so that they never differ.

CREATE TABLE about (
    name  TEXT PRIMARY KEY,
    value TEXT NOT NULL
) WITHOUT ROWID;

-- Long names once.
CREATE TABLE components (
    id  INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE
);
CREATE TABLE boots (
    id   INTEGER PRIMARY KEY,
    boot BLOB NOT NULL UNIQUE CHECK (length(boot) = 16)
);

CREATE TABLE samples (
    sequence  INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given out twice, whatever is deleted
    component INTEGER NOT NULL REFERENCES components,
    boot      INTEGER NOT NULL REFERENCES boots,
    at        INTEGER NOT NULL                    -- milliseconds since 1970 UTC
);
CREATE INDEX samples_by_component ON samples (component, sequence);

-- What the hub has committed: ranges that neither touch nor overlap.
CREATE TABLE acknowledged (
    first INTEGER PRIMARY KEY,
    last  INTEGER NOT NULL CHECK (last >= first)
);

-- Units, absences and remarks, written when they change.
CREATE TABLE inventory (
    at       INTEGER NOT NULL,
    units    TEXT NOT NULL,
    absences TEXT NOT NULL,
    remarks  TEXT NOT NULL DEFAULT '[]'
);

-- Each component as last described, in its unit, as long as samples of it are held.
CREATE TABLE described (
    component TEXT PRIMARY KEY,
    unit      TEXT NOT NULL
);

CREATE TABLE journal (
    id     INTEGER PRIMARY KEY AUTOINCREMENT,
    at     INTEGER NOT NULL,
    kind   TEXT NOT NULL,
    detail TEXT NOT NULL
);

-- The first schema. Times are nanoseconds since 1970 (UTC), positions are places in the journal.

CREATE TABLE tenants (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

INSERT INTO tenants (id, name) VALUES (0, 'default');

-- `body` is the alert as the detector wrote it last; its `status` there is never read. What people
-- set stands in columns of its own, which the detector never writes.
CREATE TABLE alerts (
    row INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants,
    alert_id TEXT NOT NULL,
    t0 INTEGER NOT NULL,
    completing INTEGER NOT NULL,
    type TEXT NOT NULL,
    severity INTEGER NOT NULL,
    rule_id TEXT NOT NULL,
    source_ip TEXT,
    entities TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'withdrawn')),
    superseded INTEGER NOT NULL CHECK (superseded IN (0, 1)),
    triage_status TEXT CHECK (triage_status IN ('acknowledged', 'closed')),
    disposition TEXT CHECK (disposition IN ('true_positive', 'false_positive', 'benign')),
    assignee TEXT,
    min_role TEXT NOT NULL,
    announced TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (tenant, alert_id)
) STRICT;

-- Lists, newest first: read from its end.
CREATE INDEX alerts_by_time ON alerts (tenant, t0, alert_id);

-- Alerts that share an event know of each other, as long as they stand.
CREATE INDEX alerts_by_event ON alerts (tenant, completing) WHERE status = 'open' AND superseded = 0;

-- Frames of live streams, so that a stream can be resumed. A position belongs to one tenant.
CREATE TABLE changes (
    row INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants,
    position INTEGER NOT NULL,
    ordinal INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('alert', 'alert_updated')),
    alert_id TEXT NOT NULL,
    at INTEGER NOT NULL,
    min_role TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (tenant, position, ordinal)
) STRICT;

CREATE TABLE ledgers (
    tenant INTEGER PRIMARY KEY REFERENCES tenants,
    totals TEXT NOT NULL
) STRICT;

-- `seq` numbers a tenant's requests without holes, so that the oldest beyond a number are known.
CREATE TABLE requests (
    row INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants,
    seq INTEGER NOT NULL,
    key BLOB NOT NULL,
    body BLOB NOT NULL,
    accepted INTEGER NOT NULL,
    at INTEGER NOT NULL,
    reply BLOB NOT NULL,
    UNIQUE (tenant, key)
) STRICT;

CREATE INDEX requests_by_age ON requests (tenant, seq);

CREATE TABLE checkpoints (
    position INTEGER PRIMARY KEY,
    file TEXT NOT NULL,
    hash BLOB NOT NULL
) STRICT;

-- `revoked` is the time; only the hash of a key is kept.
CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    tenant INTEGER NOT NULL REFERENCES tenants,
    scope TEXT NOT NULL CHECK (scope IN ('ingest', 'read', 'bouncer')),
    name TEXT NOT NULL,
    hash BLOB NOT NULL,
    created INTEGER NOT NULL,
    revoked INTEGER
) STRICT;

-- Numbers: `committed` is X, `access` counts changes of tenants and keys, `dropped_*` name the
-- newest change that was let go.
CREATE TABLE marks (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

INSERT INTO marks (name, value)
VALUES ('committed', 0), ('access', 0), ('dropped_position', 0), ('dropped_ordinal', 0);

-- Random values of this folder.
CREATE TABLE meta (
    name TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- Nodes, units, components and their identity.
CREATE TABLE fleet.nodes (
    node_id uuid PRIMARY KEY,
    customer_id bigint REFERENCES fleet.customers,
    address text,
    placement text NOT NULL DEFAULT 'host' CHECK (placement IN ('host', 'peripheral')),
    software text NOT NULL DEFAULT '',
    interval_seconds integer CHECK (interval_seconds > 0),
    consent_support boolean NOT NULL DEFAULT false,
    consent_advice boolean NOT NULL DEFAULT false,
    consent_sales boolean NOT NULL DEFAULT false,
    user_version bigint NOT NULL DEFAULT 0 CHECK (user_version >= 0),
    user_information jsonb NOT NULL DEFAULT '{}',
    description_sha256 bytea,
    certificate_serial text,
    previous_certificate_serial text,
    certificate_expires_at timestamptz CHECK (isfinite(certificate_expires_at)),
    enrolled_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(enrolled_at)),
    revoked_at timestamptz CHECK (isfinite(revoked_at)),
    seen_at timestamptz CHECK (isfinite(seen_at)),
    clock_ahead_seconds double precision
        CHECK (clock_ahead_seconds > '-infinity' AND clock_ahead_seconds < 'infinity'),
    forked_at timestamptz CHECK (isfinite(forked_at)),
    fork text,
    failure text,
    failed_at timestamptz CHECK (isfinite(failed_at)),
    CONSTRAINT fork_says_what CHECK ((forked_at IS NULL) = (fork IS NULL))
);
CREATE INDEX nodes_customer ON fleet.nodes (customer_id);
COMMENT ON TABLE fleet.nodes IS 'Enrolled nodes, with the node''s copy of the user information and consent';
COMMENT ON COLUMN fleet.nodes.node_id IS 'The node''s id, made at its first start';
COMMENT ON COLUMN fleet.nodes.customer_id IS 'Whose node';
COMMENT ON COLUMN fleet.nodes.address IS 'host:port of its read API, where it has one';
COMMENT ON COLUMN fleet.nodes.placement IS 'host: on the computer above the unit (claim 1); peripheral: in the unit (claim 2)';
COMMENT ON COLUMN fleet.nodes.software IS 'Version of its program';
COMMENT ON COLUMN fleet.nodes.interval_seconds IS 'Seconds between two measurements';
COMMENT ON COLUMN fleet.nodes.consent_support IS 'What its owner grants: support';
COMMENT ON COLUMN fleet.nodes.consent_advice IS 'What its owner grants: advice';
COMMENT ON COLUMN fleet.nodes.consent_sales IS 'What its owner grants: sales';
COMMENT ON COLUMN fleet.nodes.user_version IS 'Version of the user information; an older one never replaces a newer one';
COMMENT ON COLUMN fleet.nodes.user_information IS 'User information as the node tells it';
COMMENT ON COLUMN fleet.nodes.description_sha256 IS 'Digest of the last description, so that an unchanged one is not written again';
COMMENT ON COLUMN fleet.nodes.certificate_serial IS 'Serial number of the certificate that is honoured, hexadecimal';
COMMENT ON COLUMN fleet.nodes.previous_certificate_serial IS 'The one before, honoured until the renewed one is first shown: a node may crash before it has kept it';
COMMENT ON COLUMN fleet.nodes.certificate_expires_at IS 'Its end';
COMMENT ON COLUMN fleet.nodes.enrolled_at IS 'Since when';
COMMENT ON COLUMN fleet.nodes.revoked_at IS 'Since when it is refused';
COMMENT ON COLUMN fleet.nodes.seen_at IS 'Last answer or push';
COMMENT ON COLUMN fleet.nodes.clock_ahead_seconds IS 'Its clock minus the hub''s at the last contact';
COMMENT ON COLUMN fleet.nodes.forked_at IS 'Since when two copies of this node seem to speak; nothing is taken until it is enrolled again';
COMMENT ON COLUMN fleet.nodes.fork IS 'What was seen';
COMMENT ON COLUMN fleet.nodes.failure IS 'What the last read failed with';
COMMENT ON COLUMN fleet.nodes.failed_at IS 'When';

CREATE TABLE fleet.enrolment_tokens (
    secret_sha256 bytea PRIMARY KEY CHECK (length(secret_sha256) = 32),
    customer_id bigint REFERENCES fleet.customers ON DELETE CASCADE,
    made_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(made_at)),
    expires_at timestamptz NOT NULL CHECK (isfinite(expires_at)),
    used_at timestamptz CHECK (isfinite(used_at)),
    used_by uuid
);
CREATE INDEX enrolment_tokens_customer ON fleet.enrolment_tokens (customer_id);
COMMENT ON TABLE fleet.enrolment_tokens IS 'One-time tokens for enrolment; the secret itself is not kept';
COMMENT ON COLUMN fleet.enrolment_tokens.secret_sha256 IS 'SHA-256 of the secret';
COMMENT ON COLUMN fleet.enrolment_tokens.customer_id IS 'Whose node it will be';
COMMENT ON COLUMN fleet.enrolment_tokens.made_at IS 'Made';
COMMENT ON COLUMN fleet.enrolment_tokens.expires_at IS 'Worthless from then on';
COMMENT ON COLUMN fleet.enrolment_tokens.used_at IS 'Used';
COMMENT ON COLUMN fleet.enrolment_tokens.used_by IS 'The node that used it';

CREATE TABLE fleet.node_lives (
    node_id uuid NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
    store_id uuid NOT NULL,
    boot uuid NOT NULL,
    began_at timestamptz NOT NULL CHECK (isfinite(began_at)),
    answered_at timestamptz NOT NULL CHECK (isfinite(answered_at)),
    sequence bigint NOT NULL CHECK (sequence >= 0),
    PRIMARY KEY (node_id, store_id, boot)
);
COMMENT ON TABLE fleet.node_lives IS 'The lives of each node, a life being one store file in one boot. A node has one life after the other; a life that comes back after a later one has begun is a copy';
COMMENT ON COLUMN fleet.node_lives.node_id IS 'Which node';
COMMENT ON COLUMN fleet.node_lives.store_id IS 'Which store file';
COMMENT ON COLUMN fleet.node_lives.boot IS 'Which boot';
COMMENT ON COLUMN fleet.node_lives.began_at IS 'First heard of, by the hub''s clock';
COMMENT ON COLUMN fleet.node_lives.answered_at IS 'Last answer, by the node''s clock';
COMMENT ON COLUMN fleet.node_lives.sequence IS 'Highest sequence number heard of';

CREATE TABLE fleet.acknowledged_ranges (
    node_id uuid NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
    store_id uuid NOT NULL,
    sequences int8multirange NOT NULL,
    acknowledged_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(acknowledged_at)),
    PRIMARY KEY (node_id, store_id),
    CONSTRAINT sequences_are_bounded CHECK (NOT lower_inf(sequences) AND NOT upper_inf(sequences))
);
COMMENT ON TABLE fleet.acknowledged_ranges IS 'Sequence numbers that were committed, by node and store file. Written in the transaction of the rows; reading the newest first leaves holes, so a highest number would lie';
COMMENT ON COLUMN fleet.acknowledged_ranges.node_id IS 'Which node';
COMMENT ON COLUMN fleet.acknowledged_ranges.store_id IS 'Which store file of it';
COMMENT ON COLUMN fleet.acknowledged_ranges.sequences IS 'Which numbers: ranges, half open';
COMMENT ON COLUMN fleet.acknowledged_ranges.acknowledged_at IS 'Last change';

CREATE TABLE fleet.set_aside (
    set_aside_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    node_id uuid NOT NULL REFERENCES fleet.nodes ON DELETE CASCADE,
    store_id uuid NOT NULL,
    sequences int8range NOT NULL,
    reason text NOT NULL CHECK (btrim(reason) <> '' AND length(reason) <= 500),
    sample jsonb,
    noted_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(noted_at))
);
CREATE INDEX set_aside_node ON fleet.set_aside (node_id, noted_at DESC);
COMMENT ON TABLE fleet.set_aside IS 'Samples that were not believed (from the future, impossible) or that the node no longer had, with the reason: nothing vanishes silently';
COMMENT ON COLUMN fleet.set_aside.set_aside_id IS 'Key';
COMMENT ON COLUMN fleet.set_aside.node_id IS 'Which node';
COMMENT ON COLUMN fleet.set_aside.store_id IS 'Which store file';
COMMENT ON COLUMN fleet.set_aside.sequences IS 'Which sequence numbers';
COMMENT ON COLUMN fleet.set_aside.reason IS 'Why';
COMMENT ON COLUMN fleet.set_aside.sample IS 'The sample as it came, where there was one';
COMMENT ON COLUMN fleet.set_aside.noted_at IS 'When';

CREATE TABLE fleet.units (
    unit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    kind text CHECK (kind IN ('drive', 'server_storage', 'array', 'nas', 'other')),
    name text NOT NULL CHECK (btrim(name) <> '' AND length(name) <= 500),
    model text,
    serial text,
    customer_id bigint REFERENCES fleet.customers,
    product_id bigint REFERENCES fleet.products,
    node_id uuid REFERENCES fleet.nodes,
    node_key text,
    life text NOT NULL DEFAULT 'discovered'
        CHECK (life IN ('sold', 'discovered', 'matched', 'moved', 'expanded', 'replaced', 'retired')),
    unmatched text,
    sold_on date CHECK (isfinite(sold_on)),
    site text,
    bays_free smallint CHECK (bays_free BETWEEN 0 AND 1000),
    replaced_by bigint REFERENCES fleet.units,
    discovered_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(discovered_at)),
    gone_at timestamptz CHECK (isfinite(gone_at)),
    changed_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(changed_at)),
    CONSTRAINT node_and_key_go_together CHECK ((node_id IS NULL) = (node_key IS NULL)),
    UNIQUE (node_id, node_key)
);
CREATE INDEX units_customer ON fleet.units (customer_id);
CREATE INDEX units_product ON fleet.units (product_id);
CREATE INDEX units_replaced_by ON fleet.units (replaced_by);
CREATE INDEX units_serial ON fleet.units (lower(serial));
COMMENT ON TABLE fleet.units IS 'What was sold, or was discovered by a node and is to be matched to a sale';
COMMENT ON COLUMN fleet.units.unit_id IS 'Key inside the database';
COMMENT ON COLUMN fleet.units.public_id IS 'Key for the outside world';
COMMENT ON COLUMN fleet.units.kind IS 'drive, server_storage, array, nas or other; other gets no capacity forecast; NULL until a node says or the sale does';
COMMENT ON COLUMN fleet.units.name IS 'What people call it';
COMMENT ON COLUMN fleet.units.model IS 'Model';
COMMENT ON COLUMN fleet.units.serial IS 'Serial number';
COMMENT ON COLUMN fleet.units.customer_id IS 'Whose unit';
COMMENT ON COLUMN fleet.units.product_id IS 'What was sold';
COMMENT ON COLUMN fleet.units.node_id IS 'The node that sees it; NULL while none does';
COMMENT ON COLUMN fleet.units.node_key IS 'Its key inside that node';
COMMENT ON COLUMN fleet.units.life IS 'sold (no node has seen it yet), discovered (matches no sale yet), matched, moved, expanded, replaced or retired';
COMMENT ON COLUMN fleet.units.unmatched IS 'Why it matches no sale, for the person who decides; NULL where it does';
COMMENT ON COLUMN fleet.units.sold_on IS 'Date of sale';
COMMENT ON COLUMN fleet.units.site IS 'Where it stands';
COMMENT ON COLUMN fleet.units.bays_free IS 'Free bays; NULL where unknown';
COMMENT ON COLUMN fleet.units.replaced_by IS 'The unit that took its place';
COMMENT ON COLUMN fleet.units.discovered_at IS 'Known since';
COMMENT ON COLUMN fleet.units.gone_at IS 'Since when its node no longer sees it';
COMMENT ON COLUMN fleet.units.changed_at IS 'Last change';

CREATE TABLE fleet.unit_events (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id bigint NOT NULL REFERENCES fleet.units ON DELETE CASCADE,
    happened_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(happened_at)),
    what text NOT NULL CHECK (btrim(what) <> '' AND length(what) <= 500),
    detail text NOT NULL DEFAULT ''
);
CREATE INDEX unit_events_unit ON fleet.unit_events (unit_id, happened_at);
COMMENT ON TABLE fleet.unit_events IS 'The life of each unit';
COMMENT ON COLUMN fleet.unit_events.event_id IS 'Key';
COMMENT ON COLUMN fleet.unit_events.unit_id IS 'Which unit';
COMMENT ON COLUMN fleet.unit_events.happened_at IS 'When';
COMMENT ON COLUMN fleet.unit_events.what IS 'discovered, matched, moved …';
COMMENT ON COLUMN fleet.unit_events.detail IS 'What was seen';

CREATE TABLE fleet.components (
    component_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id bigint NOT NULL REFERENCES fleet.units ON DELETE CASCADE,
    node_key text NOT NULL CHECK (btrim(node_key) <> '' AND length(node_key) <= 500),
    kind text NOT NULL
        CHECK (kind IN ('drive', 'namespace', 'volume_group', 'pool', 'volume', 'file_system', 'controller')),
    label text,
    specs jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(specs) = 'object'),
    capacity_bytes bigint CHECK (capacity_bytes >= 0),
    gone_at timestamptz CHECK (isfinite(gone_at)),
    status_until timestamptz CHECK (isfinite(status_until)),
    UNIQUE (unit_id, node_key)
);
COMMENT ON TABLE fleet.components IS 'Parts of units, each with its own specifications and status series';
COMMENT ON COLUMN fleet.components.component_id IS 'Key; the series key of fleet.status';
COMMENT ON COLUMN fleet.components.unit_id IS 'Part of which unit';
COMMENT ON COLUMN fleet.components.node_key IS 'Its key inside the node';
COMMENT ON COLUMN fleet.components.kind IS 'drive, namespace, volume_group, pool, volume, file_system or controller';
COMMENT ON COLUMN fleet.components.label IS 'The name its owner knows it by, where the owner lets it leave the node';
COMMENT ON COLUMN fleet.components.specs IS 'Specifications as the node read them';
COMMENT ON COLUMN fleet.components.capacity_bytes IS 'Capacity as made, bytes; NULL where not reported';
COMMENT ON COLUMN fleet.components.gone_at IS 'Since when the node no longer sees it';
COMMENT ON COLUMN fleet.components.status_until IS 'Time of the newest status that was committed: where it is set and fleet.status has no row, rows were lost and are read again';

CREATE TABLE fleet.component_providers (
    component_id bigint NOT NULL REFERENCES fleet.components ON DELETE CASCADE,
    provider_id bigint NOT NULL REFERENCES fleet.components ON DELETE CASCADE,
    PRIMARY KEY (component_id, provider_id),
    CHECK (component_id <> provider_id)
);
CREATE INDEX component_providers_provider ON fleet.component_providers (provider_id);
COMMENT ON TABLE fleet.component_providers IS 'Whose space a component is made of: space seen twice counts once';
COMMENT ON COLUMN fleet.component_providers.component_id IS 'The component';
COMMENT ON COLUMN fleet.component_providers.provider_id IS 'What it is made of';

CREATE TABLE fleet.identities (
    unit_id bigint NOT NULL REFERENCES fleet.units ON DELETE CASCADE,
    component_id bigint REFERENCES fleet.components ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('nguid', 'eui64', 'uuid', 'naa', 'wwn', 'vendor_model_serial', 'serial', 'host_path')),
    value text NOT NULL CHECK (btrim(value) <> '' AND length(value) <= 500),
    UNIQUE NULLS NOT DISTINCT (unit_id, component_id, kind, value)
);
CREATE INDEX identities_value ON fleet.identities (kind, value);
CREATE INDEX identities_component ON fleet.identities (component_id);
COMMENT ON TABLE fleet.identities IS 'Identity evidence of units and components';
COMMENT ON COLUMN fleet.identities.unit_id IS 'Which unit';
COMMENT ON COLUMN fleet.identities.component_id IS 'Which component; NULL for the unit as a whole';
COMMENT ON COLUMN fleet.identities.kind IS 'Kind of identifier, in the order of trust of core''s EvidenceKind';
COMMENT ON COLUMN fleet.identities.value IS 'The identifier';

CREATE TABLE fleet.absences (
    component_id bigint NOT NULL REFERENCES fleet.components ON DELETE CASCADE,
    field text NOT NULL CHECK (btrim(field) <> '' AND length(field) <= 500),
    reason text NOT NULL CHECK (reason IN ('unsupported', 'refused', 'permission_denied', 'timed_out', 'asleep',
                                           'unbelievable', 'not_reported')),
    detail text,
    PRIMARY KEY (component_id, field)
);
COMMENT ON TABLE fleet.absences IS 'What a component does not report, and why: missing is not zero';
COMMENT ON COLUMN fleet.absences.component_id IS 'Which component';
COMMENT ON COLUMN fleet.absences.field IS 'Which figure';
COMMENT ON COLUMN fleet.absences.reason IS 'Why';
COMMENT ON COLUMN fleet.absences.detail IS 'What was seen, and what would change it';

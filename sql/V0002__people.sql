-- Who uses the hub: territories, people who sign in, their sessions.
CREATE TABLE fleet.territories (
    territory_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE CHECK (btrim(name) <> '' AND length(name) <= 500)
);
COMMENT ON TABLE fleet.territories IS 'Sales territories';
COMMENT ON COLUMN fleet.territories.territory_id IS 'Key';
COMMENT ON COLUMN fleet.territories.name IS 'Name';

CREATE TABLE fleet.customers (
    customer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    reference text NOT NULL UNIQUE CHECK (btrim(reference) <> '' AND length(reference) <= 500),
    name text NOT NULL CHECK (btrim(name) <> '' AND length(name) <= 500),
    territory_id bigint REFERENCES fleet.territories,
    contact_name text NOT NULL DEFAULT '',
    contact_email text NOT NULL DEFAULT '' CHECK (contact_email = '' OR contact_email ~ '^[^@\s]+@[^@\s]+$'),
    approval_days smallint NOT NULL DEFAULT 0 CHECK (approval_days BETWEEN 0 AND 730),
    installation_days smallint NOT NULL DEFAULT 0 CHECK (installation_days BETWEEN 0 AND 730),
    fiscal_year_start_month smallint NOT NULL DEFAULT 1 CHECK (fiscal_year_start_month BETWEEN 1 AND 12),
    buying_months smallint[] NOT NULL DEFAULT '{}'
        CHECK (buying_months <@ ARRAY[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12]::smallint[]),
    no_contact boolean NOT NULL DEFAULT false,
    no_contact_until date CHECK (no_contact_until IS NULL OR isfinite(no_contact_until)),
    cool_down_days smallint NOT NULL DEFAULT 30 CHECK (cool_down_days BETWEEN 0 AND 730),
    budget numeric(14, 2) CHECK (budget IS NULL OR (budget >= 0 AND budget <> 'NaN')),
    budget_currency text CHECK (budget_currency ~ '^[A-Z]{3}$'),
    changed_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(changed_at)),
    CONSTRAINT budget_has_a_currency CHECK ((budget IS NULL) = (budget_currency IS NULL))
);
CREATE INDEX customers_territory ON fleet.customers (territory_id);
COMMENT ON TABLE fleet.customers IS 'Customers with the user information and commercial terms that the hub keeps';
COMMENT ON COLUMN fleet.customers.customer_id IS 'Key';
COMMENT ON COLUMN fleet.customers.reference IS 'The vendor''s reference for this customer, as imported';
COMMENT ON COLUMN fleet.customers.name IS 'Name of the organisation';
COMMENT ON COLUMN fleet.customers.territory_id IS 'Territory whose representatives serve it';
COMMENT ON COLUMN fleet.customers.contact_name IS 'Whom to contact';
COMMENT ON COLUMN fleet.customers.contact_email IS 'Their electronic mail address; empty where unknown';
COMMENT ON COLUMN fleet.customers.approval_days IS 'Days that the customer takes to approve an order, as agreed';
COMMENT ON COLUMN fleet.customers.installation_days IS 'Days from delivery to use, as agreed';
COMMENT ON COLUMN fleet.customers.fiscal_year_start_month IS 'First month of the customer''s fiscal year';
COMMENT ON COLUMN fleet.customers.buying_months IS 'Months in which offers are welcome; empty for all';
COMMENT ON COLUMN fleet.customers.no_contact IS 'Nothing may be sent to this customer';
COMMENT ON COLUMN fleet.customers.no_contact_until IS 'Nothing may be sent before this date';
COMMENT ON COLUMN fleet.customers.cool_down_days IS 'Days between two offers to this customer';
COMMENT ON COLUMN fleet.customers.budget IS 'What the customer said it can spend on one offer';
COMMENT ON COLUMN fleet.customers.budget_currency IS 'Currency of the budget';
COMMENT ON COLUMN fleet.customers.changed_at IS 'Last change';

CREATE TABLE fleet.consents (
    consent_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    customer_id bigint NOT NULL REFERENCES fleet.customers ON DELETE CASCADE,
    purpose text NOT NULL CHECK (purpose IN ('support', 'advice', 'sales')),
    granted boolean NOT NULL,
    changed_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(changed_at)),
    changed_by text NOT NULL DEFAULT session_user CHECK (btrim(changed_by) <> '' AND length(changed_by) <= 500)
);
CREATE INDEX consents_customer ON fleet.consents (customer_id, purpose, consent_id DESC);
COMMENT ON TABLE fleet.consents IS 'The hub''s copy of consent by purpose, every change kept; the newest row counts. The node keeps the other copy, and what both grant is in force';
COMMENT ON COLUMN fleet.consents.consent_id IS 'Key, rising with each change';
COMMENT ON COLUMN fleet.consents.customer_id IS 'Whose consent';
COMMENT ON COLUMN fleet.consents.purpose IS 'support, advice or sales';
COMMENT ON COLUMN fleet.consents.granted IS 'Granted or withdrawn';
COMMENT ON COLUMN fleet.consents.changed_at IS 'When';
COMMENT ON COLUMN fleet.consents.changed_by IS 'By whom';

CREATE TABLE fleet.people (
    person_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL CHECK (btrim(name) <> '' AND length(name) <= 500),
    email text NOT NULL CHECK (btrim(email) <> '' AND length(email) <= 500),
    role text NOT NULL CHECK (role IN ('admin', 'sales', 'customer', 'reader')),
    password_hash text NOT NULL CHECK (password_hash LIKE '$argon2%'),
    territory_id bigint REFERENCES fleet.territories,
    customer_id bigint REFERENCES fleet.customers ON DELETE CASCADE,
    database_role name,
    disabled boolean NOT NULL DEFAULT false,
    made_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(made_at)),
    CONSTRAINT customer_belongs_to_one CHECK ((role = 'customer') = (customer_id IS NOT NULL))
);
CREATE UNIQUE INDEX people_email ON fleet.people (lower(email));
CREATE UNIQUE INDEX people_database_role ON fleet.people (database_role);
CREATE INDEX people_territory ON fleet.people (territory_id);
CREATE INDEX people_customer ON fleet.people (customer_id);
COMMENT ON TABLE fleet.people IS 'People who sign in to the web view or connect to the database';
COMMENT ON COLUMN fleet.people.person_id IS 'Key';
COMMENT ON COLUMN fleet.people.name IS 'Name';
COMMENT ON COLUMN fleet.people.email IS 'What they sign in with; unique whatever its case';
COMMENT ON COLUMN fleet.people.role IS 'admin, sales, customer or reader';
COMMENT ON COLUMN fleet.people.password_hash IS 'Argon2 hash in PHC form';
COMMENT ON COLUMN fleet.people.territory_id IS 'A representative''s territory; NULL for all';
COMMENT ON COLUMN fleet.people.customer_id IS 'The customer that a person of role customer belongs to';
COMMENT ON COLUMN fleet.people.database_role IS 'The login role with which this person connects by SQL, where there is one';
COMMENT ON COLUMN fleet.people.disabled IS 'May not sign in';
COMMENT ON COLUMN fleet.people.made_at IS 'Since when';

CREATE TABLE fleet.sessions (
    token_sha256 bytea PRIMARY KEY CHECK (length(token_sha256) = 32),
    person_id bigint NOT NULL REFERENCES fleet.people ON DELETE CASCADE,
    made_at timestamptz NOT NULL CHECK (isfinite(made_at)),
    seen_at timestamptz NOT NULL CHECK (isfinite(seen_at))
);
CREATE INDEX sessions_person ON fleet.sessions (person_id);
COMMENT ON TABLE fleet.sessions IS 'Signed-in sessions of the web view';
COMMENT ON COLUMN fleet.sessions.token_sha256 IS 'SHA-256 of the token in the cookie';
COMMENT ON COLUMN fleet.sessions.person_id IS 'Who';
COMMENT ON COLUMN fleet.sessions.made_at IS 'Signed in';
COMMENT ON COLUMN fleet.sessions.seen_at IS 'Last request made by the person';

-- Plans and offers.
CREATE TABLE fleet.plans (
    plan_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    unit_id bigint NOT NULL REFERENCES fleet.units ON DELETE CASCADE,
    component_id bigint NOT NULL REFERENCES fleet.components ON DELETE CASCADE,
    resource text NOT NULL CHECK (resource IN ('capacity', 'load', 'endurance', 'inodes', 'thin_metadata')),
    run_id bigint NOT NULL REFERENCES fleet.forecast_runs ON DELETE CASCADE,
    rank smallint NOT NULL CHECK (rank >= 1),
    action text NOT NULL CHECK (action IN ('do_nothing', 'reclaim', 'expansion', 'upgrade', 'functional_extension')),
    chosen boolean NOT NULL DEFAULT false,
    order_by date CHECK (isfinite(order_by)),
    overdue boolean NOT NULL DEFAULT false,
    late_probability double precision CHECK (late_probability BETWEEN 0 AND 1),
    sufficient boolean NOT NULL DEFAULT false,
    lasts_until timestamptz CHECK (isfinite(lasts_until)),
    price numeric(14, 2) CHECK (price >= 0 AND price <> 'NaN'),
    currency text CHECK (currency ~ '^[A-Z]{3}$'),
    binding_constraint text NOT NULL DEFAULT '',
    reason text NOT NULL,
    UNIQUE (unit_id, run_id, rank),
    CONSTRAINT price_has_a_currency CHECK ((price IS NULL) = (currency IS NULL))
);
CREATE INDEX plans_component ON fleet.plans (component_id);
CREATE INDEX plans_run ON fleet.plans (run_id);
COMMENT ON TABLE fleet.plans IS 'What could be done about a unit that runs out; the chosen one is the cheapest that lasts';
COMMENT ON COLUMN fleet.plans.plan_id IS 'Key';
COMMENT ON COLUMN fleet.plans.unit_id IS 'For which unit';
COMMENT ON COLUMN fleet.plans.component_id IS 'Which component runs out first';
COMMENT ON COLUMN fleet.plans.resource IS 'Of what';
COMMENT ON COLUMN fleet.plans.run_id IS 'By which fleet run';
COMMENT ON COLUMN fleet.plans.rank IS 'Order in which the alternatives are shown';
COMMENT ON COLUMN fleet.plans.action IS 'do_nothing, reclaim, expansion, upgrade or functional_extension';
COMMENT ON COLUMN fleet.plans.chosen IS 'The suggestion';
COMMENT ON COLUMN fleet.plans.order_by IS 'Order by: P10 of the exhaustion less lead, approval and installation time';
COMMENT ON COLUMN fleet.plans.overdue IS 'Order by has passed';
COMMENT ON COLUMN fleet.plans.late_probability IS 'Probability that it runs out before an order of today is in use: what offers act on';
COMMENT ON COLUMN fleet.plans.sufficient IS 'Lasts to the end of the planning horizon';
COMMENT ON COLUMN fleet.plans.lasts_until IS 'P10 of the exhaustion after it; NULL beyond the horizon';
COMMENT ON COLUMN fleet.plans.price IS 'Price of all items';
COMMENT ON COLUMN fleet.plans.currency IS 'Its currency';
COMMENT ON COLUMN fleet.plans.binding_constraint IS 'What kept it from being cheaper or possible';
COMMENT ON COLUMN fleet.plans.reason IS 'One sentence';

CREATE TABLE fleet.plan_items (
    plan_id bigint NOT NULL REFERENCES fleet.plans ON DELETE CASCADE,
    product_id bigint NOT NULL REFERENCES fleet.products,
    quantity smallint NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
    PRIMARY KEY (plan_id, product_id)
);
CREATE INDEX plan_items_product ON fleet.plan_items (product_id);
COMMENT ON TABLE fleet.plan_items IS 'What a plan consists of';
COMMENT ON COLUMN fleet.plan_items.plan_id IS 'Which plan';
COMMENT ON COLUMN fleet.plan_items.product_id IS 'Which product';
COMMENT ON COLUMN fleet.plan_items.quantity IS 'How many';

CREATE TABLE fleet.offers (
    offer_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    public_id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid(),
    customer_id bigint NOT NULL REFERENCES fleet.customers ON DELETE CASCADE,
    state text NOT NULL DEFAULT 'planned'
        CHECK (state IN ('planned', 'drafted', 'approved', 'sent', 'accepted', 'declined', 'expired', 'withdrawn')),
    contact_name text NOT NULL DEFAULT '',
    contact_email text NOT NULL DEFAULT '',
    order_by date CHECK (isfinite(order_by)),
    price numeric(14, 2) NOT NULL DEFAULT 0 CHECK (price >= 0 AND price <> 'NaN'),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    calm_runs smallint NOT NULL DEFAULT 0 CHECK (calm_runs >= 0),
    judged_run bigint,
    made_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(made_at)),
    changed_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(changed_at)),
    valid_until date CHECK (isfinite(valid_until)),
    outcome_reason text
);
CREATE INDEX offers_customer ON fleet.offers (customer_id, state);
COMMENT ON TABLE fleet.offers IS 'Offers; core''s machine decides the transitions, this table refuses what consent and rules of contact forbid';
COMMENT ON COLUMN fleet.offers.offer_id IS 'Key';
COMMENT ON COLUMN fleet.offers.public_id IS 'Key for the outside world';
COMMENT ON COLUMN fleet.offers.customer_id IS 'To whom';
COMMENT ON COLUMN fleet.offers.state IS 'planned, drafted, approved, sent, accepted, declined, expired or withdrawn';
COMMENT ON COLUMN fleet.offers.contact_name IS 'Addressee, as the user information named them when it was drafted';
COMMENT ON COLUMN fleet.offers.contact_email IS 'Their address';
COMMENT ON COLUMN fleet.offers.order_by IS 'Earliest order-by date of its items';
COMMENT ON COLUMN fleet.offers.price IS 'Sum of its items';
COMMENT ON COLUMN fleet.offers.currency IS 'Its currency';
COMMENT ON COLUMN fleet.offers.calm_runs IS 'Fleet runs in a row in which no need was seen: withdrawn only after several';
COMMENT ON COLUMN fleet.offers.judged_run IS 'The fleet run by which its need was judged last: each run counts once; no foreign key, since old runs are forgotten';
COMMENT ON COLUMN fleet.offers.made_at IS 'Made';
COMMENT ON COLUMN fleet.offers.changed_at IS 'Last transition';
COMMENT ON COLUMN fleet.offers.valid_until IS 'Expires after this date';
COMMENT ON COLUMN fleet.offers.outcome_reason IS 'Why it was declined or withdrawn';

CREATE TABLE fleet.offer_items (
    offer_id bigint NOT NULL REFERENCES fleet.offers ON DELETE CASCADE,
    unit_id bigint NOT NULL REFERENCES fleet.units ON DELETE CASCADE,
    resource text NOT NULL CHECK (resource IN ('capacity', 'load', 'endurance', 'inodes', 'thin_metadata')),
    product_id bigint NOT NULL REFERENCES fleet.products,
    action text NOT NULL CHECK (action IN ('expansion', 'upgrade', 'functional_extension')),
    quantity smallint NOT NULL CHECK (quantity BETWEEN 1 AND 1000),
    price numeric(14, 2) NOT NULL CHECK (price >= 0 AND price <> 'NaN'),
    PRIMARY KEY (offer_id, unit_id, resource, product_id)
);
CREATE INDEX offer_items_unit ON fleet.offer_items (unit_id);
CREATE INDEX offer_items_product ON fleet.offer_items (product_id);
COMMENT ON TABLE fleet.offer_items IS 'What is offered for which unit';
COMMENT ON COLUMN fleet.offer_items.offer_id IS 'Which offer';
COMMENT ON COLUMN fleet.offer_items.unit_id IS 'For which unit';
COMMENT ON COLUMN fleet.offer_items.resource IS 'Against running out of what';
COMMENT ON COLUMN fleet.offer_items.product_id IS 'Which product';
COMMENT ON COLUMN fleet.offer_items.action IS 'expansion, upgrade or functional_extension';
COMMENT ON COLUMN fleet.offer_items.quantity IS 'How many';
COMMENT ON COLUMN fleet.offer_items.price IS 'Price of all of them, at the time of drafting';

CREATE TABLE fleet.offer_events (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    offer_id bigint NOT NULL REFERENCES fleet.offers ON DELETE CASCADE,
    happened_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(happened_at)),
    from_state text,
    to_state text NOT NULL,
    who text NOT NULL CHECK (btrim(who) <> '' AND length(who) <= 500),
    note text NOT NULL DEFAULT ''
);
CREATE INDEX offer_events_offer ON fleet.offer_events (offer_id, event_id);
COMMENT ON TABLE fleet.offer_events IS 'Every transition of every offer';
COMMENT ON COLUMN fleet.offer_events.event_id IS 'Key';
COMMENT ON COLUMN fleet.offer_events.offer_id IS 'Which offer';
COMMENT ON COLUMN fleet.offer_events.happened_at IS 'When';
COMMENT ON COLUMN fleet.offer_events.from_state IS 'From; NULL when it was made';
COMMENT ON COLUMN fleet.offer_events.to_state IS 'To';
COMMENT ON COLUMN fleet.offer_events.who IS 'By whom';
COMMENT ON COLUMN fleet.offer_events.note IS 'Why';

CREATE TABLE fleet.outbox (
    message_id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    offer_id bigint REFERENCES fleet.offers ON DELETE CASCADE,
    recipient text NOT NULL CHECK (btrim(recipient) <> '' AND length(recipient) <= 500),
    subject text NOT NULL CHECK (btrim(subject) <> '' AND length(subject) <= 500),
    body text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(made_at)),
    next_try_at timestamptz NOT NULL DEFAULT now() CHECK (isfinite(next_try_at)),
    tries smallint NOT NULL DEFAULT 0 CHECK (tries >= 0),
    sent_at timestamptz CHECK (isfinite(sent_at)),
    failure text
);
CREATE INDEX outbox_waiting ON fleet.outbox (next_try_at) WHERE sent_at IS NULL;
CREATE INDEX outbox_offer ON fleet.outbox (offer_id);
COMMENT ON TABLE fleet.outbox IS 'Messages to be sent, written in the transaction of what they tell';
COMMENT ON COLUMN fleet.outbox.message_id IS 'Key, and the message''s id, so that sending twice has one effect';
COMMENT ON COLUMN fleet.outbox.offer_id IS 'About which offer';
COMMENT ON COLUMN fleet.outbox.recipient IS 'To whom';
COMMENT ON COLUMN fleet.outbox.subject IS 'Subject';
COMMENT ON COLUMN fleet.outbox.body IS 'Text';
COMMENT ON COLUMN fleet.outbox.made_at IS 'Made';
COMMENT ON COLUMN fleet.outbox.next_try_at IS 'Tried no earlier';
COMMENT ON COLUMN fleet.outbox.tries IS 'Tries so far';
COMMENT ON COLUMN fleet.outbox.sent_at IS 'Sent';
COMMENT ON COLUMN fleet.outbox.failure IS 'What the last try failed with';

-- What consent and the life of an offer forbid, whoever tries: core decides, these triggers refuse.
-- SQLSTATE RM002: consent or the rules of contact forbid it; RM003: an offer does not go that way.

-- Both triggers lock the customer first, so that of a withdrawal and an approval at the same time one sees the other.
CREATE FUNCTION fleet.withdraw_without_consent() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF TG_TABLE_NAME = 'consents' THEN
        IF NEW.granted OR NEW.purpose <> 'sales' THEN
            RETURN NULL;
        END IF;
    END IF;
    PERFORM FROM fleet.customers c WHERE c.customer_id = NEW.customer_id FOR NO KEY UPDATE;
    WITH open AS (
        SELECT o.offer_id, o.state FROM fleet.offers o
         WHERE o.customer_id = NEW.customer_id AND o.state IN ('planned', 'drafted', 'approved', 'sent')
           AND EXISTS (SELECT FROM fleet.offer_items i WHERE i.offer_id = o.offer_id
                                                         AND NOT fleet.unit_consent(i.unit_id, 'sales'))
           FOR NO KEY UPDATE),
    withdrawn AS (
        UPDATE fleet.offers o
           SET state = 'withdrawn', changed_at = now(), outcome_reason = 'the sales purpose was withdrawn'
          FROM open WHERE o.offer_id = open.offer_id),
    stopped AS (
        DELETE FROM fleet.outbox m USING open WHERE m.offer_id = open.offer_id AND m.sent_at IS NULL)
    INSERT INTO fleet.offer_events (offer_id, from_state, to_state, who, note)
        SELECT offer_id, state, 'withdrawn', session_user, 'the sales purpose was withdrawn' FROM open;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION fleet.withdraw_without_consent() IS 'Trigger: a withdrawal of the sales purpose takes back open offers and unsent messages at once, whichever side says it';
CREATE TRIGGER withdrawal_wins AFTER INSERT ON fleet.consents
    FOR EACH ROW EXECUTE FUNCTION fleet.withdraw_without_consent();
CREATE TRIGGER withdrawal_wins AFTER UPDATE OF consent_sales ON fleet.nodes
    FOR EACH ROW WHEN (OLD.consent_sales AND NOT NEW.consent_sales) EXECUTE FUNCTION fleet.withdraw_without_consent();

CREATE FUNCTION fleet.refuse_forbidden_offer() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    customer fleet.customers;
    today date := (now() AT TIME ZONE 'UTC')::date;
BEGIN
    IF NEW.state = OLD.state THEN
        RETURN NEW;
    END IF;
    IF NOT ((OLD.state, NEW.state) IN (('planned', 'drafted'), ('drafted', 'approved'), ('approved', 'sent'),
                                       ('sent', 'accepted'), ('sent', 'declined'), ('sent', 'expired'))
            OR (NEW.state = 'withdrawn' AND OLD.state IN ('planned', 'drafted', 'approved', 'sent'))) THEN
        RAISE EXCEPTION 'offer % is % and cannot become %', NEW.offer_id, OLD.state, NEW.state
            USING ERRCODE = 'RM003', HINT = 'An offer goes planned, drafted, approved, sent, then accepted, declined or expired; an open one may be withdrawn.';
    END IF;
    IF NEW.state NOT IN ('approved', 'sent') THEN
        RETURN NEW;
    END IF;
    SELECT * INTO customer FROM fleet.customers c WHERE c.customer_id = NEW.customer_id FOR NO KEY UPDATE;
    IF EXISTS (SELECT FROM fleet.offer_items i WHERE i.offer_id = NEW.offer_id
                                                 AND NOT fleet.unit_consent(i.unit_id, 'sales')) THEN
        RAISE EXCEPTION 'offer % is for a unit without the sales purpose', NEW.offer_id
            USING ERRCODE = 'RM002', HINT = 'Ask the customer to grant the sales purpose, or withdraw the offer.';
    END IF;
    IF NEW.state <> 'sent' THEN
        RETURN NEW;
    END IF;
    IF customer.no_contact OR customer.no_contact_until > today THEN
        RAISE EXCEPTION 'customer % is not to be contacted', customer.reference
            USING ERRCODE = 'RM002', HINT = 'Wait until no_contact_until has passed, or until no_contact is lifted.';
    END IF;
    IF cardinality(customer.buying_months) > 0 AND NOT extract(month FROM today)::smallint = ANY (customer.buying_months) THEN
        RAISE EXCEPTION 'customer % does not buy in this month', customer.reference
            USING ERRCODE = 'RM002', HINT = 'Wait for one of the buying_months of the customer.';
    END IF;
    IF EXISTS (SELECT FROM fleet.offers o JOIN fleet.offer_events e USING (offer_id)
                WHERE o.customer_id = NEW.customer_id AND o.offer_id <> NEW.offer_id AND e.to_state = 'sent'
                  AND (e.happened_at AT TIME ZONE 'UTC')::date > today - customer.cool_down_days) THEN
        RAISE EXCEPTION 'customer % was sent another offer less than % days ago', customer.reference, customer.cool_down_days
            USING ERRCODE = 'RM002', HINT = 'Wait until the cool-down has passed.';
    END IF;
    IF btrim(NEW.contact_email) = '' THEN
        RAISE EXCEPTION 'offer % has nobody to be sent to', NEW.offer_id
            USING ERRCODE = 'RM002', HINT = 'Name a contact in the user information.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION fleet.refuse_forbidden_offer() IS 'Trigger: an offer moves only as its life allows (error RM003), and nothing is approved or sent without consent, or to whom must not be contacted (error RM002)';
CREATE TRIGGER forbidden BEFORE UPDATE OF state ON fleet.offers
    FOR EACH ROW EXECUTE FUNCTION fleet.refuse_forbidden_offer();

CREATE FUNCTION fleet.refuse_forbidden_item() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    customer bigint := (SELECT o.customer_id FROM fleet.offers o WHERE o.offer_id = NEW.offer_id);
    other bigint;
BEGIN
    -- One writer a customer: of two offers for one need at the same time the second sees the first.
    PERFORM FROM fleet.customers c WHERE c.customer_id = customer FOR NO KEY UPDATE;
    IF customer IS DISTINCT FROM (SELECT u.customer_id FROM fleet.units u WHERE u.unit_id = NEW.unit_id) THEN
        RAISE EXCEPTION 'unit % does not belong to the customer of offer %', NEW.unit_id, NEW.offer_id
            USING ERRCODE = '23514', HINT = 'An offer is for units of one customer.';
    END IF;
    IF NOT fleet.unit_consent(NEW.unit_id, 'sales') THEN
        RAISE EXCEPTION 'nothing may be offered for unit %: the sales purpose is not granted', NEW.unit_id
            USING ERRCODE = 'RM002', HINT = 'Ask the customer to grant the sales purpose.';
    END IF;
    SELECT i.offer_id INTO other FROM fleet.offer_items i JOIN fleet.offers o USING (offer_id)
     WHERE i.unit_id = NEW.unit_id AND i.resource = NEW.resource AND i.offer_id <> NEW.offer_id
       AND o.state IN ('planned', 'drafted', 'approved', 'sent') LIMIT 1;
    IF other IS NOT NULL THEN
        RAISE EXCEPTION 'offer % is open for this need of unit % already', other, NEW.unit_id
            USING ERRCODE = '23505', HINT = 'One open offer per need: change or withdraw that one.';
    END IF;
    RETURN NEW;
END
$$;
COMMENT ON FUNCTION fleet.refuse_forbidden_item() IS 'Trigger: nothing is offered without the sales purpose (error RM002), for another customer''s unit, or twice for one need';
CREATE TRIGGER forbidden BEFORE INSERT OR UPDATE OF offer_id, unit_id, resource ON fleet.offer_items
    FOR EACH ROW EXECUTE FUNCTION fleet.refuse_forbidden_item();

CREATE VIEW fleet.consent_in_force WITH (security_invoker = true) AS
    SELECT u.unit_id, u.customer_id, p.purpose, fleet.consent(u.customer_id, p.purpose) AS hub_grants,
           CASE p.purpose WHEN 'support' THEN n.consent_support WHEN 'advice' THEN n.consent_advice
                          ELSE n.consent_sales END AS node_grants,
           n.user_version AS node_version, fleet.unit_consent(u.unit_id, p.purpose) AS in_force
      FROM fleet.units u
      LEFT JOIN fleet.nodes n USING (node_id)
     CROSS JOIN (VALUES ('support'), ('advice'), ('sales')) AS p (purpose);
COMMENT ON VIEW fleet.consent_in_force IS 'Both sides'' consent for each unit and purpose, and what follows: in force is what both grant';
COMMENT ON COLUMN fleet.consent_in_force.unit_id IS 'Which unit';
COMMENT ON COLUMN fleet.consent_in_force.customer_id IS 'Whose';
COMMENT ON COLUMN fleet.consent_in_force.purpose IS 'support, advice or sales';
COMMENT ON COLUMN fleet.consent_in_force.hub_grants IS 'The hub''s copy grants it';
COMMENT ON COLUMN fleet.consent_in_force.node_grants IS 'The node''s copy grants it; NULL where no node sees the unit';
COMMENT ON COLUMN fleet.consent_in_force.node_version IS 'Version of the node''s copy';
COMMENT ON COLUMN fleet.consent_in_force.in_force IS 'Both grant it';

REVOKE EXECUTE ON ALL FUNCTIONS IN SCHEMA fleet FROM PUBLIC;
GRANT SELECT ON fleet.consent_in_force TO headroom_service, headroom_admin, headroom_intake;

-- The world of the browser tests: few units, every state, and in every stored text something that would run if a page let it.
-- Whose text it is stands at its head, so that a test sees what leaks to whom.
CREATE FUNCTION pg_temp.canary(label text) RETURNS text LANGUAGE sql AS
$$ SELECT label || ' "''><img src=x onerror=window.xss=1><script>window.xss=1</script>{{7*7}}' $$;

INSERT INTO fleet.territories (name) VALUES ('North'), ('South');
INSERT INTO fleet.customers (reference, name, territory_id, contact_name, contact_email, approval_days, installation_days)
SELECT v.reference, pg_temp.canary(v.name), t.territory_id, pg_temp.canary(v.contact),
       lower(v.reference) || '"><svg/onload=window.xss=1>@customer.example', 21, 14
  FROM (VALUES ('CA', 'Customer-A', 'Person-A', 'North'), ('CB', 'Customer-B', 'Person-B', 'South'),
               ('CC', 'Customer-C', 'Person-C', 'North')) AS v (reference, name, contact, territory)
  JOIN fleet.territories t ON t.name = v.territory;
-- Customer C grants everything but sales.
INSERT INTO fleet.consents (customer_id, purpose, granted, changed_by)
SELECT c.customer_id, p.purpose, p.purpose <> 'sales' OR c.reference <> 'CC', pg_temp.canary('seed')
  FROM fleet.customers c CROSS JOIN (VALUES ('support'), ('advice'), ('sales')) AS p (purpose);

-- The password of everybody is "a password for the browser tests".
INSERT INTO fleet.people (name, email, role, password_hash, territory_id, customer_id, disabled)
SELECT pg_temp.canary(v.email), v.email, v.role,
       '$argon2id$v=19$m=8,t=1,p=1$CNy4xQa6k5As7hMwY0e2ag$yGaOs8bSIVTjMpvXVmWQHF8oLUhfuPLPlCW+JExeij0',
       (SELECT territory_id FROM fleet.territories WHERE name = v.territory),
       (SELECT customer_id FROM fleet.customers WHERE reference = v.customer), v.disabled
  FROM (VALUES ('admin', 'admin', NULL, NULL, false), ('north', 'sales', 'North', NULL, false),
               ('south', 'sales', 'South', NULL, false), ('anna', 'customer', NULL, 'CA', false),
               ('bert', 'customer', NULL, 'CB', false), ('reader', 'reader', NULL, NULL, false),
               ('gone', 'admin', NULL, NULL, true)) AS v (email, role, territory, customer, disabled);

INSERT INTO fleet.products (sku, name, action, fits_models, capacity_bytes, interface, bays, price, currency,
                            lead_time_days, lead_time_as_of, withdrawn)
VALUES ('EXP-8', pg_temp.canary('Shelf'), 'expansion', '{}', 8000000000000, 'sas', 1, 1200.50, 'EUR', 60, current_date - 400, false),
       ('UPG-64', pg_temp.canary('Array'), 'upgrade', ARRAY[pg_temp.canary('M1')], 64000000000000, NULL, 24, 98000, 'EUR', 120, current_date, false),
       ('FX-C', pg_temp.canary('Cache'), 'functional_extension', '{}', 0, NULL, 0, 4000, 'USD', 30, current_date, false),
       ('U-1', pg_temp.canary('Sold'), 'unit', '{}', 20000000000000, 'nvme', 4, 9000, 'EUR', 10, current_date, true);

INSERT INTO fleet.nodes (node_id, customer_id, address, software, interval_seconds, consent_support, consent_advice,
                         consent_sales, user_version, user_information, seen_at, failure, failed_at)
SELECT ('00000000-0000-4000-8000-00000000000' || row_number() OVER (ORDER BY reference))::uuid, customer_id,
       CASE reference WHEN 'CA' THEN :'node_address' END, pg_temp.canary('headroom-node'), 5, true, true, true, 1,
       jsonb_build_object('organisation', pg_temp.canary('Org')), now(), pg_temp.canary('failure'), now() - interval '1 day'
  FROM fleet.customers;

-- Units: of A six, of B two, of C one, and one that nobody has bought.
INSERT INTO fleet.units (kind, name, model, serial, customer_id, product_id, node_id, node_key, life, sold_on, site, bays_free)
SELECT v.kind, pg_temp.canary(v.name), pg_temp.canary('M1'), pg_temp.canary('S-' || v.name), c.customer_id,
       (SELECT product_id FROM fleet.products WHERE sku = 'U-1'), n.node_id, CASE WHEN n.node_id IS NOT NULL THEN 'unit-' || v.name END, v.life,
       CASE WHEN c.customer_id IS NOT NULL THEN current_date - 700 END, pg_temp.canary('Site'), 3
  FROM (VALUES ('A-dated', 'array', 'CA', 'matched'), ('A-soon', 'array', 'CA', 'matched'),
               ('A-full', 'nas', 'CA', 'matched'), ('A-beyond', 'server_storage', 'CA', 'matched'),
               ('A-young', 'drive', 'CA', 'matched'), ('A-silent', 'drive', 'CA', 'matched'),
               ('B-dated', 'array', 'CB', 'matched'), ('B-flat', 'drive', 'CB', 'matched'),
               ('C-dated', 'array', 'CC', 'matched'), ('N-found', 'drive', NULL, 'discovered'))
         AS v (name, kind, customer, life)
  LEFT JOIN fleet.customers c ON c.reference = v.customer
  LEFT JOIN fleet.nodes n ON n.customer_id = c.customer_id
 ORDER BY v.name;
INSERT INTO fleet.unit_events (unit_id, what, detail) SELECT unit_id, pg_temp.canary('seen'), pg_temp.canary('detail') FROM fleet.units;

INSERT INTO fleet.components (unit_id, node_key, kind, label, specs, capacity_bytes, status_until)
SELECT u.unit_id, k.node_key, k.kind, pg_temp.canary(k.label),
       jsonb_build_object('vendor', pg_temp.canary('Maker'), 'model', pg_temp.canary('Model'), 'serial', pg_temp.canary('Serial'),
                          'firmware', pg_temp.canary('Firmware'), 'interface', pg_temp.canary('nvme'),
                          'format', pg_temp.canary('xfs'), 'capacity_bytes', 20000000000000), 20000000000000, now()
  FROM fleet.units u CROSS JOIN (VALUES ('pool', 'pool', 'Pool'), ('drive', 'drive', 'Drive')) AS k (node_key, kind, label)
 ORDER BY u.unit_id, k.node_key;
INSERT INTO fleet.component_providers (component_id, provider_id)
SELECT p.component_id, d.component_id FROM fleet.components p JOIN fleet.components d USING (unit_id)
 WHERE p.kind = 'pool' AND d.kind = 'drive';
INSERT INTO fleet.absences (component_id, field, reason, detail)
SELECT component_id, 'used_bytes', 'unsupported', pg_temp.canary('absence') FROM fleet.components WHERE kind = 'drive';
INSERT INTO fleet.absences (component_id, field, reason, detail)
SELECT component_id, 'utilisation', 'permission_denied', pg_temp.canary('denied') FROM fleet.components WHERE kind = 'pool';
INSERT INTO fleet.remarks (node_id, digest, component_id, happened_at, sentence)
SELECT u.node_id, sha256(k.component_id::text::bytea), k.component_id, NULL, pg_temp.canary('Remark-' || left(u.name, 1))
  FROM fleet.components k JOIN fleet.units u USING (unit_id) WHERE u.node_id IS NOT NULL
UNION ALL
SELECT node_id, sha256(node_id::text::bytea), NULL, now() - interval '3 days', pg_temp.canary('Jump-' || right(reference, 1))
  FROM fleet.nodes JOIN fleet.customers USING (customer_id);
INSERT INTO fleet.identities (unit_id, component_id, kind, value)
SELECT unit_id, NULL, 'serial', pg_temp.canary('identity') FROM fleet.units;

INSERT INTO fleet.status (component_id, at, boot, capacity_bytes, used_bytes, used_source, utilisation, endurance_used_percent)
SELECT k.component_id, d.at, '00000000-0000-4000-8000-0000000000ff'::uuid,
       CASE k.kind WHEN 'pool' THEN 20000000000000 END,
       CASE k.kind WHEN 'pool' THEN 8000000000000 + d.number * 25000000000 END,
       CASE k.kind WHEN 'pool' THEN 'array_pool' END, CASE k.kind WHEN 'drive' THEN 0.3 + 0.001 * (d.number % 50) END,
       CASE k.kind WHEN 'drive' THEN 10 + d.number / 20 END
  FROM fleet.components k
 CROSS JOIN (SELECT n AS number, now() - interval '400 days' + n * interval '1 day' AS at FROM generate_series(0, 400) n) d
  JOIN fleet.units u USING (unit_id) WHERE u.name NOT LIKE 'A-young%';

INSERT INTO fleet.forecast_runs (as_of, model, published_at) VALUES (now() - interval '7 days', pg_temp.canary('model-0'), now());
INSERT INTO fleet.forecast_runs (as_of, model, published_at, is_current) VALUES (now(), pg_temp.canary('model-1'), now(), true);
INSERT INTO fleet.forecasts (component_id, resource, run_id, state, reason_code, reason, p10, p50, p90, as_of, model,
                             data_from, data_until, last_used, resource_limit, samples, set_aside, passage, fan, why)
SELECT k.component_id, f.resource, r.run_id, f.state, 'seed', pg_temp.canary('Reason'),
       now() + f.days * interval '0.7 days', now() + f.days * interval '1 day', now() + f.days * interval '1.5 days',
       r.as_of, r.model, now() - interval '400 days', now(), f.used, f.resource_limit, 400, 2,
       jsonb_build_array(jsonb_build_object('at', now(), 'probability', 0), jsonb_build_object('at', now() + interval '900 days', 'probability', 0.9)),
       CASE WHEN f.days IS NULL THEN '[]'::jsonb ELSE (
           SELECT jsonb_agg(jsonb_build_object('at', now() + n * interval '30 days', 'p10', 18e12 + n * 2e11, 'p50', 18e12 + n * 4e11, 'p90', 18e12 + n * 8e11) ORDER BY n)
             FROM generate_series(1, 20) n) END,
       jsonb_build_array(
           jsonb_build_object('kind', 'trend', 'amount', 25e9, 'sentence', pg_temp.canary('It grew.')),
           jsonb_build_object('kind', 'change', 'at', now(), 'sentence', pg_temp.canary('It moved.')))
  FROM fleet.forecast_runs r
 CROSS JOIN (VALUES ('A-dated', 'capacity', 'pool', 'dated', 200, 18e12, 20e12), ('A-dated', 'load', 'drive', 'beyond_horizon', NULL, 0.3, 0.8),
               ('A-soon', 'capacity', 'pool', 'dated', 60, 19e12, 20e12), ('A-full', 'capacity', 'pool', 'already_exhausted', NULL, 20e12, 20e12),
               ('A-beyond', 'capacity', 'pool', 'beyond_horizon', NULL, 9e12, 20e12), ('A-silent', 'endurance', 'drive', 'stale', NULL, 0.3, 1),
               ('B-dated', 'capacity', 'pool', 'dated', 300, 18e12, 20e12), ('B-flat', 'capacity', 'pool', 'flat_or_shrinking', NULL, 1e12, 20e12),
               ('C-dated', 'capacity', 'pool', 'dated', 100, 18e12, 20e12), ('N-found', 'capacity', 'pool', 'unknown_limit', NULL, 18e12, NULL))
         AS f (unit, resource, part, state, days, used, resource_limit)
  JOIN fleet.units u ON u.name LIKE f.unit || ' %' JOIN fleet.components k ON k.unit_id = u.unit_id AND k.kind = f.part;

INSERT INTO fleet.plans (unit_id, component_id, resource, run_id, rank, action, chosen, order_by, overdue, lasts_until,
                         price, currency, binding_constraint, reason)
SELECT k.unit_id, f.component_id, f.resource, f.run_id, p.rank, p.action, p.chosen,
       CASE WHEN p.chosen THEN (f.p10 - interval '95 days')::date END, p.chosen AND f.p10 - interval '95 days' < now(),
       now() + interval '1000 days', p.price, CASE WHEN p.price IS NOT NULL THEN 'EUR' END, pg_temp.canary('bays'), pg_temp.canary('Plan')
  FROM fleet.forecasts f JOIN fleet.components k USING (component_id) JOIN fleet.forecast_runs r ON r.run_id = f.run_id AND r.is_current
 CROSS JOIN (VALUES (1, 'do_nothing', false, NULL), (2, 'expansion', true, 2401.00), (3, 'upgrade', false, 98000)) AS p (rank, action, chosen, price)
 WHERE f.state = 'dated';
INSERT INTO fleet.plan_items (plan_id, product_id, quantity)
SELECT p.plan_id, d.product_id, 2 FROM fleet.plans p JOIN fleet.products d ON d.action = p.action;

-- An offer in every state for A, a drafted one for B.
INSERT INTO fleet.offers (customer_id, state, contact_name, contact_email, order_by, price, currency, valid_until, outcome_reason)
SELECT c.customer_id, s.state, c.contact_name, c.contact_email, current_date + 30, 2401, 'EUR', current_date + 60, pg_temp.canary('outcome')
  FROM fleet.customers c
  JOIN (VALUES ('CA', 'drafted'), ('CA', 'approved'), ('CA', 'sent'), ('CA', 'accepted'), ('CA', 'declined'), ('CA', 'expired'),
               ('CA', 'withdrawn'), ('CB', 'drafted')) AS s (reference, state) USING (reference)
 ORDER BY c.reference, s.state;
INSERT INTO fleet.offer_items (offer_id, unit_id, resource, product_id, action, quantity, price)
SELECT o.offer_id, u.unit_id, CASE o.state WHEN 'accepted' THEN 'load' WHEN 'declined' THEN 'endurance' WHEN 'expired' THEN 'inodes'
            WHEN 'withdrawn' THEN 'thin_metadata' ELSE 'capacity' END, d.product_id, 'expansion', 2, 2401
  FROM fleet.offers o JOIN fleet.customers c USING (customer_id)
  JOIN fleet.units u ON u.name LIKE CASE o.state WHEN 'approved' THEN 'A-soon' WHEN 'sent' THEN 'A-beyond' ELSE right(c.reference, 1) || '-dated' END || ' %'
  JOIN fleet.products d ON d.sku = 'EXP-8';
INSERT INTO fleet.offer_events (offer_id, from_state, to_state, who, note)
SELECT offer_id, NULL, CASE WHEN state IN ('accepted', 'declined', 'expired') THEN 'sent' ELSE state END,
       pg_temp.canary('seed'), pg_temp.canary('note') FROM fleet.offers;

INSERT INTO fleet.backtests (component_id, resource, origin, question_limit, judged_until, p10_days, p50_days, p90_days,
                             true_days, drift_days, model)
SELECT f.component_id, f.resource, now() - n * interval '30 days', 15e12 + n * 1e10, now(), 10 + n, 40 + n, 90 + n,
       CASE WHEN n % 4 = 0 THEN NULL ELSE 20 + n * 7 END, 60 + n, pg_temp.canary('model-1')
  FROM fleet.forecasts f JOIN fleet.forecast_runs r ON r.run_id = f.run_id AND r.is_current CROSS JOIN generate_series(1, 12) n
 WHERE f.resource = 'capacity' AND f.resource_limit IS NOT NULL;
INSERT INTO fleet.audit_log (who, what, customer_id, detail)
SELECT pg_temp.canary('who'), pg_temp.canary('what'), customer_id, jsonb_build_object('note', pg_temp.canary('audit')) FROM fleet.customers;

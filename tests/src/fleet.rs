//! A small fleet whose truth is known: what grows, what stands still, who may be asked and who not.

use crate::hub::Hub;

/// Loads the fleet of this file into a hub's database: 400 days of history up to an hour ago, one status a day.
///
/// | Customer | Unit | What it does |
/// |---|---|---|
/// | willing | filling | grows to its limit in about 100 days, two bays free |
/// | willing | crowded | the same, no bay free |
/// | willing | calm | does not grow |
/// | slow | filling too | as `filling`, of a customer who takes 30 days longer |
/// | private | private | as `filling`, of a customer who has not granted the sales purpose |
pub fn load(hub: &Hub) {
    hub.psql(FLEET);
}

const FLEET: &str = "
insert into fleet.territories (name) values ('North');
insert into fleet.customers (reference, name, territory_id, contact_name, contact_email, approval_days)
    select 'C-' || c.name, initcap(c.name), territory_id, initcap(c.name) || ' Buyer', c.name || '@customer.example', days
      from fleet.territories, (values ('willing', 5), ('slow', 35), ('private', 5)) as c (name, days);
insert into fleet.consents (customer_id, purpose, granted)
    select customer_id, purpose, true from fleet.customers, unnest(array['support', 'advice', 'sales']) as purpose
     where not (reference = 'C-private' and purpose = 'sales');
insert into fleet.products (sku, name, action, fits_models, capacity_bytes, bays, load_factor, price, currency,
                            lead_time_days, lead_time_as_of) values
    ('N8', 'NAS with 8 bays', 'unit', '{}', 20000000000000, 8, 1, 4900, 'EUR', 21, '2026-11-01'),
    ('DRIVE', 'Drive of 8 TB', 'expansion', '{N8}', 8000000000000, 1, 1, 265, 'EUR', 14, '2026-11-01'),
    ('N12', 'NAS with 12 bays', 'upgrade', '{N8}', 190000000000000, 12, 1.5, 13900, 'EUR', 28, '2026-11-01'),
    ('CACHE', 'Flash cache', 'functional_extension', '{N8}', 0, 0, 2, 1150, 'EUR', 14, '2026-11-01');
insert into fleet.units (kind, name, model, serial, customer_id, product_id, life, bays_free)
    select 'nas', u.name, 'N8', 'S-' || u.name, c.customer_id, p.product_id, 'matched', u.bays
      from (values ('filling', 'willing', 2), ('crowded', 'willing', 0), ('calm', 'willing', 2),
                   ('filling too', 'slow', 2), ('private', 'private', 2)) as u (name, customer, bays)
      join fleet.customers c on c.reference = 'C-' || u.customer
      join fleet.products p on p.sku = 'N8';
insert into fleet.components (unit_id, node_key, kind, capacity_bytes, status_until)
    select unit_id, 'pool', 'pool', 20000000000000, date_trunc('hour', now()) from fleet.units;
insert into fleet.status (component_id, at, capacity_bytes, used_bytes, used_source)
    select k.component_id, date_trunc('hour', now()) - make_interval(days => d), 20000000000000,
           case when u.name = 'calm' then 9000000000000 else 18500000000000 - d * 15000000000 end
               + (d * 7919 + k.component_id * 104729) % 13 * 100000000, 'zfs'
      from fleet.components k join fleet.units u using (unit_id), generate_series(0, 399) as d";

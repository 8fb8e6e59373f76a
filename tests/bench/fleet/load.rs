//! A fleet of units whose growth, bursts, clean-ups and stillness come from their keys alone: every run has the same.

use headroom_tests::Hub;

/// Units whose rows are inserted and sealed at a time, so that the disk holds few unsealed rows.
const UNITS_AT_ONCE: u32 = 10_000;

/// Makes the units with one component each and their daily values up to an hour ago, and seals all of them.
pub(crate) fn fleet(hub: &Hub, units: u32, days: u32) {
    hub.psql(SALES);
    hub.psql(&UNITS.replace("{units}", &units.to_string()));
    for first in (1..=units).step_by(UNITS_AT_ONCE as usize) {
        let last = units.min(first + UNITS_AT_ONCE - 1);
        // Two at a time: a core each.
        let middle = first + (last - first) / 2;
        std::thread::scope(|scope| {
            for (first, last) in
                [(first, middle), (middle + 1, last)].into_iter().filter(|(first, last)| first <= last)
            {
                scope.spawn(move || {
                    hub.psql(
                        &STATUS
                            .replace("{first}", &first.to_string())
                            .replace("{last}", &last.to_string())
                            .replace("{days}", &days.to_string()),
                    )
                });
            }
        });
        hub.psql("call headroom.seal_by_slices('fleet.status', timestamptz '2100-01-01 00:00+00')");
        hub.psql("vacuum fleet.status");
    }
    assert_eq!(
        hub.psql("select count(*) from fleet.status"),
        (u64::from(units) * u64::from(days)).to_string()
    );
    hub.psql("vacuum (analyze) fleet.status");
    hub.psql("vacuum (analyze) fleet.units");
    hub.psql("vacuum (analyze) fleet.components");
    hub.psql("checkpoint");
}

const SALES: &str = "
insert into fleet.territories (name) select 'Territory ' || n from generate_series(1, 10) n;
insert into fleet.customers (reference, name, territory_id, approval_days)
    select 'C-' || n, 'Customer ' || n, (select min(territory_id) from fleet.territories) + n % 10, n % 30
      from generate_series(1, 2000) n;
insert into fleet.products (sku, name, action, fits_models, capacity_bytes, bays, load_factor, price, currency,
                            lead_time_days, lead_time_as_of)
    select 'M-' || n, 'Model ' || n, 'unit', '{}'::text[], 20000000000000, 8, 1, 4900, 'EUR', 21, date '2026-11-01' from generate_series(1, 20) n
    union all
    select 'D-' || n, 'Drives for model ' || n, 'expansion', array['M-' || n], 8000000000000, 1, 1, 265, 'EUR', 14, date '2026-11-01'
      from generate_series(1, 20) n
    union all
    select 'U-' || n, 'Successor of model ' || n, 'upgrade', array['M-' || n], 190000000000000, 12, 1.5, 13900, 'EUR', 28, date '2026-11-01'
      from generate_series(1, 20) n";

const UNITS: &str = "
insert into fleet.units (kind, name, model, serial, customer_id, product_id, life, bays_free)
    select 'nas', 'unit ' || n, p.sku, 'S-' || n, c.customer_id, p.product_id, 'matched', n % 4
      from generate_series(1, {units}) n
      join fleet.products p on p.sku = 'M-' || (1 + n % 20)
      join fleet.customers c on c.reference = 'C-' || (1 + n % 2000)
     order by n;
insert into fleet.components (unit_id, node_key, kind, capacity_bytes, status_until)
    select unit_id, 'pool', 'pool', 20000000000000, date_trunc('hour', now()) from fleet.units order by unit_id";

/// Four of five grow, by up to half of their space in a year, every other one of them in bursts; some are cleaned up.
const STATUS: &str = "
create function pg_temp.hash01(n bigint) returns double precision language sql immutable
    as $$ select (hashint8extended(n, 1) & 16777215) / 16777215.0::double precision $$;
insert into fleet.status (component_id, at, capacity_bytes, used_bytes, used_source)
    select id, date_trunc('hour', now()) - make_interval(days => {days} - 1 - day), 20000000000000,
           ((level + growth * case when bursty then floor(day / 23.0) * 23 else day end
            - case when cleaned and day > 250 then 0.04 else 0 end + wobble * (pg_temp.hash01(id * 7919 + day) - 0.5))
            * 4882812500)::bigint * 4096, 'zfs'
      from (select component_id as id, 0.2 + 0.3 * pg_temp.hash01(component_id) as level,
                   case when component_id % 5 = 0 then 0 else 0.00125 * pg_temp.hash01(component_id * 31) ^ 2 end as growth,
                   component_id % 2 = 0 as bursty, component_id % 7 = 0 as cleaned,
                   0.002 * pg_temp.hash01(component_id * 17) as wobble
              from fleet.components where component_id between {first} and {last}) c
     cross join generate_series(0, {days} - 1) as day";

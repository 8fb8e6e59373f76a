-- What the vendor sells.
CREATE TABLE fleet.products (
    product_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sku text NOT NULL UNIQUE CHECK (btrim(sku) <> '' AND length(sku) <= 500),
    name text NOT NULL CHECK (btrim(name) <> '' AND length(name) <= 500),
    action text NOT NULL CHECK (action IN ('unit', 'expansion', 'upgrade', 'functional_extension')),
    fits_models text[] NOT NULL DEFAULT '{}',
    capacity_bytes bigint NOT NULL DEFAULT 0 CHECK (capacity_bytes >= 0),
    interface text,
    bays smallint NOT NULL DEFAULT 0 CHECK (bays BETWEEN 0 AND 1000),
    raid_overhead double precision NOT NULL DEFAULT 0 CHECK (raid_overhead >= 0 AND raid_overhead < 1),
    load_factor double precision NOT NULL DEFAULT 1 CHECK (load_factor > 0 AND load_factor <= 1000),
    rated_write_bytes bigint CHECK (rated_write_bytes > 0),
    price numeric(14, 2) NOT NULL CHECK (price >= 0 AND price <> 'NaN'),
    currency text NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
    lead_time_days smallint NOT NULL CHECK (lead_time_days BETWEEN 0 AND 1500),
    lead_time_as_of date NOT NULL CHECK (isfinite(lead_time_as_of)),
    withdrawn boolean NOT NULL DEFAULT false
);
COMMENT ON TABLE fleet.products IS 'The catalogue: units that are sold and what expands, replaces or extends them';
COMMENT ON COLUMN fleet.products.product_id IS 'Key';
COMMENT ON COLUMN fleet.products.sku IS 'Order number';
COMMENT ON COLUMN fleet.products.name IS 'Name';
COMMENT ON COLUMN fleet.products.action IS 'unit: sold by itself; expansion: adds capacity in a free bay; upgrade: replaces a unit; functional_extension: adds an ability such as a cache or a controller';
COMMENT ON COLUMN fleet.products.fits_models IS 'Models it fits; empty for any';
COMMENT ON COLUMN fleet.products.capacity_bytes IS 'Capacity that it has (unit, upgrade) or adds (expansion), bytes, before RAID overhead';
COMMENT ON COLUMN fleet.products.interface IS 'Interface: nvme, sas, sata …';
COMMENT ON COLUMN fleet.products.bays IS 'Bays that it has (unit, upgrade) or takes (expansion)';
COMMENT ON COLUMN fleet.products.raid_overhead IS 'Share of its capacity that redundancy takes, 0…1';
COMMENT ON COLUMN fleet.products.load_factor IS 'Load after it divided into load before it: 2 halves the utilisation';
COMMENT ON COLUMN fleet.products.rated_write_bytes IS 'Bytes that may be written over its life';
COMMENT ON COLUMN fleet.products.price IS 'Price of one';
COMMENT ON COLUMN fleet.products.currency IS 'Currency of the price';
COMMENT ON COLUMN fleet.products.lead_time_days IS 'Days from order to delivery';
COMMENT ON COLUMN fleet.products.lead_time_as_of IS 'When the lead time was last confirmed';
COMMENT ON COLUMN fleet.products.withdrawn IS 'No longer sold';

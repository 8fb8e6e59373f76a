-- Queries that Headroom answers with functions of its own. All others run as they are.
-- name: q1_latest_distinct
SELECT unit_id, ts, used_bytes, capacity_bytes, busy_pct, percent_used FROM headroom.latest(NULL::status)
-- name: q1_latest_lateral
SELECT u.unit_id, s.ts, s.used_bytes, s.capacity_bytes, s.busy_pct, s.percent_used FROM units u JOIN headroom.latest(NULL::status) s USING (unit_id)
-- name: q4_fleet_daily_arrays
SELECT segment, value FROM headroom.daily_arrays('status', NULL::int8[], ARRAY['used_bytes'], ARRAY['max'], origin => '2026-01-01 00:00+00')
-- name: q5_top100_now
SELECT u.unit_id, u.serial, s.used_bytes::float8/s.capacity_bytes AS f FROM units u JOIN headroom.latest(NULL::status) s USING (unit_id) ORDER BY f DESC LIMIT 100

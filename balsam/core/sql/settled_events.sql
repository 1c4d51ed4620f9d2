-- A condition on core_jobevent: no transaction that still writes has begun before the one that wrote the event, so none
-- with a smaller id can appear any more. The event's transaction is compared with the oldest that writes, which is
-- ahead of it by less than half of the numbers there are; they come round.
mod(xmin::text::bigint - mod(pg_snapshot_xmin(pg_current_snapshot())::text::numeric, 4294967296)::bigint
    + 4294967296, 4294967296) >= 1000000

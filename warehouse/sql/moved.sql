CREATE TEMP TABLE t_moved (
    channel_id bigint, order_date date, happened_date date, currency text, kind text, was_published boolean,
    events bigint, orders bigint, units bigint, revenue numeric
) ON COMMIT DROP

CREATE TEMP TABLE t_moved (
    channel_id bigint, order_date date, happened_date date, currency text, kind text, events bigint, orders bigint,
    units bigint, revenue numeric
) ON COMMIT DROP

-- Every order was staged once, and each line once beside it: nothing to choose.
lines AS (
    SELECT p.order_id, p.is_new, p.channel_id, i.*
    FROM parents p
    JOIN staging."{load}__order_items" i ON i.channel = p.channel AND i.order_external_id = p.external_id
)

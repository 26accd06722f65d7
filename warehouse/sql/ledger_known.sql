-- The events that bring the ledger of known orders to the lines' state: the difference between what each line
-- counts for now and what its events add up to. Nothing different, no event.
{wanted},
recorded AS (
    SELECT e.order_id, e.line_id, CASE e.kind WHEN 'edit' THEN 'sale' ELSE e.kind END AS part, e.reference,
           coalesce(e.product_id, 0) AS product_id, e.channel_id, e.order_date, e.currency,
           min(e.happened_at) AS first_at, sum(e.units)::bigint AS units, sum(e.gross_amount) AS gross,
           sum(e.discount_amount) AS discount, sum(e.net_amount) AS net,
           sum(e.refunded_units)::bigint AS refunded_units, sum(e.refunded_amount) AS refunded_amount,
           sum(e.refunded_net_amount) AS refunded_net
    FROM core.sales_events e
    WHERE e.order_id IN (SELECT order_id FROM t_touched)
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
),
-- A line whose day, product or currency changed leaves events under the old one: they are taken back there.
alive AS (SELECT order_id, line_id, max(source_updated_at) AS edited_at FROM lines GROUP BY 1, 2),
difference AS (
    SELECT coalesce(w.order_id, r.order_id) AS order_id, coalesce(w.line_id, r.line_id) AS line_id,
           coalesce(w.channel_id, r.channel_id) AS channel_id,
           nullif(coalesce(w.product_id, r.product_id), 0) AS product_id,
           coalesce(w.part, r.part) AS part, coalesce(w.reference, r.reference) AS reference,
           coalesce(w.order_date, r.order_date) AS order_date, coalesce(w.currency, r.currency) AS currency,
           w.happened_at, w.edited_at, r.first_at, r.order_id IS NOT NULL AS is_recorded,
           w.order_id IS NOT NULL AS is_wanted,
           coalesce(w.units, 0) - coalesce(r.units, 0) AS units,
           coalesce(w.gross, 0) - coalesce(r.gross, 0) AS gross,
           coalesce(w.discount, 0) - coalesce(r.discount, 0) AS discount,
           coalesce(w.net, 0) - coalesce(r.net, 0) AS net,
           coalesce(w.refunded_units, 0) - coalesce(r.refunded_units, 0) AS refunded_units,
           coalesce(w.refunded_amount, 0) - coalesce(r.refunded_amount, 0) AS refunded_amount,
           coalesce(w.refunded_net, 0) - coalesce(r.refunded_net, 0) AS refunded_net
    FROM wanted w
    FULL JOIN recorded r
      ON r.order_id = w.order_id AND r.line_id = w.line_id AND r.part = w.part AND r.reference = w.reference
     AND r.product_id = w.product_id AND r.order_date = w.order_date AND r.currency = w.currency
),
dated_difference AS (
    SELECT d.*, o.source_updated_at, c.timezone,
           CASE
               -- never recorded: when it happened
               WHEN NOT d.is_recorded THEN d.happened_at
               -- recorded and still true in part: an edit of the sale is booked when it was made, a corrected
               -- refund or cancellation where it stands
               WHEN d.is_wanted AND d.part IN ('sale', 'replacement') THEN greatest(d.edited_at, d.happened_at)
               WHEN d.is_wanted THEN d.first_at
               -- the line is gone from its order: taken out now
               WHEN a.order_id IS NULL AND d.part IN ('sale', 'replacement') THEN greatest(o.source_updated_at, d.first_at)
               -- moved to another day, product or reference: taken back where it stood
               ELSE d.first_at
           END AS booked_at
    FROM difference d
    JOIN core.orders o ON o.id = d.order_id
    JOIN core.channels c ON c.id = d.channel_id
    LEFT JOIN alive a ON a.order_id = d.order_id AND a.line_id = d.line_id
    WHERE d.units <> 0 OR d.gross <> 0 OR d.discount <> 0 OR d.net <> 0 OR d.refunded_units <> 0
       OR d.refunded_amount <> 0 OR d.refunded_net <> 0
),
recorded_now AS (
    INSERT INTO core.sales_events (
        order_id, line_id, channel_id, product_id, kind, reference, happened_at, happened_date, order_date,
        currency, units, gross_amount, discount_amount, net_amount, refunded_units, refunded_amount,
        refunded_net_amount, run_id, recorded_at
    )
    SELECT order_id, line_id, channel_id, product_id,
           CASE WHEN part = 'sale' AND (is_recorded OR NOT is_wanted) THEN 'edit' ELSE part END,
           reference, booked_at, (booked_at AT TIME ZONE timezone)::date, order_date, currency, units, gross, discount,
           net, refunded_units, refunded_amount, refunded_net, :run_id, transaction_timestamp()
    FROM dated_difference
    RETURNING order_id, channel_id, kind, happened_date, order_date, currency, units, net_amount,
              refunded_net_amount
)
{days}

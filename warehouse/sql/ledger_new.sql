-- What happened to lines of new orders beside their sale (see ledger_sales): cancellations, refunds, replacements.
{wanted},
recorded_now AS (
    INSERT INTO core.sales_events (
        order_id, line_id, channel_id, product_id, kind, reference, happened_at, happened_date, order_date,
        currency, units, gross_amount, discount_amount, net_amount, refunded_units, refunded_amount,
        refunded_net_amount, run_id, recorded_at
    )
    SELECT w.order_id, w.line_id, w.channel_id, nullif(w.product_id, 0), w.part, w.reference, w.happened_at,
           CASE WHEN w.part = 'replacement' THEN w.order_date ELSE (w.happened_at AT TIME ZONE c.timezone)::date END,
           w.order_date, w.currency, w.units, w.gross, w.discount,
           w.net, w.refunded_units, w.refunded_amount, w.refunded_net, :run_id, transaction_timestamp()
    FROM wanted w
    JOIN core.channels c ON c.id = w.channel_id
    WHERE w.part <> 'sale'
      AND (w.units <> 0 OR w.gross <> 0 OR w.discount <> 0 OR w.net <> 0 OR w.refunded_units <> 0
           OR w.refunded_amount <> 0 OR w.refunded_net <> 0)
    RETURNING order_id, channel_id, kind, happened_date, order_date, currency, units, net_amount,
              refunded_net_amount
)
{days}

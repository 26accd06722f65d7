-- By day: what edits changed of orders placed on it on other days, and what edits of other days' orders it saw; and
-- whether some of its orders were first read more than a day after it was over, when edits could not be told any more.
WITH edits AS (
    SELECT order_date, happened_date, abs(units) AS units, abs(gross_amount) AS amount
    FROM core.sales_events
    WHERE channel_id = %(channel)s AND kind = 'edit' AND order_date <> happened_date
      AND (order_date BETWEEN %(first)s AND %(last)s OR happened_date BETWEEN %(first)s AND %(last)s)
),
days AS (
    SELECT order_date AS date, units AS units_out, amount AS amount_out, 0 AS units_in, 0 AS amount_in,
           false AS is_read_late
    FROM edits
    UNION ALL
    SELECT happened_date, 0, 0, units, amount, false FROM edits
    UNION ALL
    SELECT e.order_date, 0, 0, 0, 0, true
    FROM core.sales_events e
    LEFT JOIN ops.runs r ON r.id = e.run_id
    WHERE e.channel_id = %(channel)s AND e.kind = 'sale' AND e.order_date BETWEEN %(first)s AND %(last)s
      AND (r.kind IS DISTINCT FROM 'sync' OR r.until >= (e.order_date + 2)::timestamp AT TIME ZONE %(timezone)s)
    GROUP BY e.order_date
)
SELECT date, sum(units_out)::bigint AS units_out, sum(amount_out)::numeric(18,4) AS amount_out,
       sum(units_in)::bigint AS units_in, sum(amount_in)::numeric(18,4) AS amount_in, bool_or(is_read_late) AS is_read_late
FROM days
WHERE date BETWEEN %(first)s AND %(last)s
GROUP BY date

SELECT f.posted_date AS date, f.channel_id, coalesce(f.product_id, 0) AS product_id, f.fee_type,
       coalesce(f.currency, c.currency) AS currency, sum(f.amount) AS amount, count(*) AS num_fees
FROM core.fees f
JOIN core.channels c ON c.id = f.channel_id
WHERE f.posted_date >= CAST(:first AS date) AND f.posted_date < CAST(:after AS date)
GROUP BY 1, 2, 3, 4, 5
ORDER BY 3, 2, 1, 4, 5

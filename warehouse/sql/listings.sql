-- Which product each staged reference means: the merchant SKU (through sku_map) first, then the listing.
-- `wanted` is the SKU of the product to use, or to make as a stub. {references} is a UNION of what was staged.
CREATE TEMP TABLE t_listings ON COMMIT DROP AS
WITH referenced AS (
    SELECT c.id AS channel_id, c.name AS channel, c.currency,
           coalesce(r.sku, '') AS sku, coalesce(r.external_id, '') AS external_id, max(r.title) AS title
    FROM ({references}) r
    JOIN core.channels c ON c.name = r.channel
    GROUP BY 1, 2, 3, 4, 5
)
SELECT r.*,
       coalesce(
           m.sku,
           nullif(r.sku, ''),
           p.sku,
           CASE WHEN r.external_id <> '' THEN r.channel || ':' || r.external_id END
       ) AS wanted
FROM referenced r
LEFT JOIN core.sku_map m ON m.channel_id = r.channel_id AND m.channel_sku = r.sku
LEFT JOIN core.channel_products l ON l.channel_id = r.channel_id AND l.external_id = r.external_id
LEFT JOIN core.products p ON p.id = l.product_id

CASE WHEN CAST("recency" AS DOUBLE) <= 2.5e0 THEN 'it''s' END

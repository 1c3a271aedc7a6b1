CASE WHEN CAST("recency" AS REAL) <= 2.5e0 THEN 'it''s' END

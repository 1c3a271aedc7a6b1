CASE WHEN CAST("recency" AS Nullable(Float64)) <= 2.5e0 THEN 'it''s' END

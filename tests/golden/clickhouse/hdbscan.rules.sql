CASE WHEN CAST("a" AS Nullable(Float64)) <= 2.5e0 THEN 'it''s' END

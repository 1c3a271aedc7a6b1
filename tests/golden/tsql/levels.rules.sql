CASE WHEN CAST([recency] AS FLOAT) <= 2.5e0 THEN N'it''s' END

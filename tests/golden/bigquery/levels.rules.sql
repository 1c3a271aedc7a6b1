CASE WHEN CAST(`recency` AS FLOAT64) <= 2.5e0 THEN 'it\'s' END

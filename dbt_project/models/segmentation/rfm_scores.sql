{{ segql.rfm_scores(ref('customer_features'), ref('rfm_cuts')) }}

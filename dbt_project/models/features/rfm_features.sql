{{ segql.rfm_features(ref('order_line_reasons'), ref('as_of')) }}

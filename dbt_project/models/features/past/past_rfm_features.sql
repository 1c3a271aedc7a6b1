{{ segql.rfm_features(ref('stg_order_lines'), ref('past_as_of'), **order_line_vars()) }}

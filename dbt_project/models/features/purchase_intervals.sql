{{ segql.purchase_intervals(ref('stg_order_lines'), ref('as_of'), **order_line_vars()) }}

{{ segql.as_of(ref('stg_order_lines')) }}

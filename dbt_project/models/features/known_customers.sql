{{ segql.known_customers(ref('stg_customers'), ref('order_line_reasons')) }}

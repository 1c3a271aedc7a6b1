{{ segql.data_quality(ref('order_line_reasons')) }}

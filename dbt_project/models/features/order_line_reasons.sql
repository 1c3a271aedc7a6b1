{{ segql.order_line_reasons(
    ref('stg_order_lines'),
    ref('as_of'),
    return_pattern=var('return_pattern'),
    non_product_pattern=var('non_product_pattern'),
    drop_duplicate_lines=var('drop_duplicate_lines'),
    drop_non_product_lines=var('drop_non_product_lines')
) }}

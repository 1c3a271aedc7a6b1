{{ config(materialized='view') }}

{{ segql.order_line_reasons(ref('stg_order_lines'), ref('as_of'), **order_line_vars()) }}

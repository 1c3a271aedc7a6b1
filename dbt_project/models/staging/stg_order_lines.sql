-- depends_on: {{ source('shop', 'order_lines') }}
{{ segql.stage_order_lines() }}

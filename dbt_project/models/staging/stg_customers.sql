-- depends_on: {{ source('shop', 'customers') }}
{{ segql.stage_customers() }}

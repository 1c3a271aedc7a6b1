-- depends_on: {{ source('shop', 'products') }}
{{ segql.stage_products() }}

-- depends_on: {{ source('shop', 'events') }}
{{ segql.stage_events() }}

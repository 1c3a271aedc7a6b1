{#- Names that a demographic column cannot bear: features and prediction columns. -#}
{% macro reserved_columns() -%}
    {{ return([
        'customer_id', 'registered_at', 'as_of_date', 'recency', 'frequency', 'monetary', 'average_order_value',
        'tenure', 'inter_purchase_interval', 'distinct_products', 'events', 'active_days',
        'days_since_last_event', 'events_90_days', 'segment_id', 'segment_key', 'distance',
        'next_segment_id', 'confidence', 'model_version', 'sessions',
    ]) }}
{%- endmacro %}

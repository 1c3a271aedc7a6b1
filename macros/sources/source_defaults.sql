{#- What each source is called and which columns it has when nothing is mapped. -#}
{% macro source_defaults(name) -%}
    {%- set defaults = {
        'order_lines': {
            'relation': 'raw.order_lines',
            'required': [('customer', 'customer_id'), ('order', 'order_id'),
                         ('timestamp', 'ordered_at'), ('product', 'product_id'),
                         ('quantity', 'quantity'), ('price', 'unit_price')],
            'optional': [('loaded_at', 'loaded_at')],
            'ids': ['customer', 'order', 'product'],
            'options': ['timestamp_format'],
        },
        'customers': {
            'relation': 'raw.customers',
            'required': [('customer', 'customer_id')],
            'optional': [('registered', 'registered_at')],
            'ids': ['customer'],
            'options': ['demographics', 'timestamp_format'],
        },
        'events': {
            'relation': 'raw.events',
            'required': [('customer', 'customer_id'), ('timestamp', 'occurred_at')],
            'optional': [('type', 'event_type'), ('session', 'session_id')],
            'ids': ['customer', 'session'],
            'options': ['timestamp_format'],
        },
        'products': {
            'relation': 'raw.products',
            'required': [('product', 'product_id')],
            'optional': [('name', 'product_name'), ('category', 'category')],
            'ids': ['product'],
            'options': [],
        },
    } -%}
    {{ return(defaults[name]) }}
{%- endmacro %}

{#- What a high or low mean of a feature is called in a segment's name. -#}
{% macro feature_words() -%}
    {%- set words = [
        ('average_order_value', 'large baskets', 'small baskets'),
        ('tenure', 'long-standing', 'newer'),
        ('distinct_products', 'wide range', 'narrow range'),
        ('recency', 'longer silent', 'seen lately'),
        ('frequency', 'more orders', 'fewer orders'),
        ('monetary', 'higher spend', 'lower spend'),
        ('inter_purchase_interval', 'long intervals', 'short intervals'),
        ('events', 'active online', 'quiet online'),
        ('age', 'older', 'younger'),
        ('income', 'higher income', 'lower income'),
    ] -%}
    {%- for feature, high, low in words %}
    select
        {{ segql.string_literal(feature) }} as feature,
        {{ loop.index }} as place,
        {{ segql.string_literal(high) }} as high_word,
        {{ segql.string_literal(low) }} as low_word
    {{ 'union all' if not loop.last }}
    {%- endfor -%}
{%- endmacro %}

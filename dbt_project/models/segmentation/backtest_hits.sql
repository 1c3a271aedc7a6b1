{%- set segmentations = {
    'segments': 'segment_key', 'rfm_quintiles': 'rfm_group', 'everybody': 'everybody'
} -%}
with

hits as (
    {% for name, column in segmentations.items() %}
    select
        {{ segql.string_literal(name) }} as segmentation,
        hits_{{ loop.index }}.*
    from (
        {{ segql.recommendation_hits(
            ref('stg_order_lines'),
            ref('backtest_outcomes'),
            ref('past_as_of'),
            ref('as_of'),
            segment=column,
            per_customer=10,
            buyers=var('backtest_buyers'),
            owned=var('recommend_owned'),
            shrinkage=var('product_shrinkage'),
            **order_line_vars()
        ) | indent(8) }}
    ) as hits_{{ loop.index }}
    {{ 'union all' if not loop.last }}
    {%- endfor %}

)

select * from hits

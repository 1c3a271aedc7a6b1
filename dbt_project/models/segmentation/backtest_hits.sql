{{ config(post_hook='{{ segql.drop_stages() }}') }}

{%- set stages = [] -%}
with

-- What counts is decided there, by the vars of the shop.
{% call segql.stage(stages, 'used_lines') %}
select * from {{ ref('order_line_reasons') }}
where reason = 'used'
{% endcall %},

hits as (

    {{ segql.recommendation_hits(
        'used_lines',
        ref('backtest_outcomes'),
        ref('past_as_of'),
        ref('as_of'),
        segmentations={
            'segments': 'segment_key',
            'rfm_quintiles': 'rfm_group',
            'everybody': 'everybody',
        },
        per_customer=10,
        buyers=var('backtest_buyers'),
        owned=var('recommend_owned'),
        shrinkage=var('product_shrinkage'),
        stages=stages,
        timestamp='ordered_on',
        non_product_pattern=var('non_product_pattern')
    ) | indent(4) }}

)

select * from hits

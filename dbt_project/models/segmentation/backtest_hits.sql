with

hits as (

    {{ segql.recommendation_hits(
        ref('stg_order_lines'),
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
        **order_line_vars()
    ) | indent(4) }}

)

select * from hits

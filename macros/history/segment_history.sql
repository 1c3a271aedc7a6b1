{#-
    The segments of each past date as one query: for each date the features that a macro of the
    project builds as of it, scored by the frozen model and the newest cut points. customers says
    who is known at the date; those without features are prospects.

    snapshots is a list of {date, features, customers}, the latter two queries.
-#}
{% macro segment_history(snapshots, model, cuts, segment_map='segments', id='customer_id') -%}
    {%- for snapshot in snapshots %}
    (
        with

        features as (

            {{ snapshot.features | indent(12) }}

        ),

        customers as (

            {{ snapshot.customers | indent(12) }}

        ),

        segments as (

            {{ segql.predict(model, 'features', id) | indent(12) }}

        ),

        scores as (

            {{ segql.rfm_scores('features', cuts, id=id) | indent(12) }}

        ),

        rfm_segments as (

            {{ segql.rfm_segment('scores', segment_map) | indent(12) }}

        )

        select
            customers.customer_id,
            {{ segql.date_literal('as_of_date', snapshot.date) }} as as_of_date,
            case
                when segments.customer_id is null then 'prospect'
                else {{ segql.segment_key('segments.segment_key') }}
            end as segment_key,
            coalesce(rfm_segments.rfm_segment, 'prospect') as rfm_segment,
            rfm_segments.monetary,
            segments.model_version,
            rfm_segments.cuts_version
        from customers
        left join segments
            on customers.customer_id = segments.customer_id
        left join rfm_segments
            on customers.customer_id = rfm_segments.customer_id
    )
    {{ 'union all' if not loop.last }}
    {%- endfor %}
{%- endmacro %}

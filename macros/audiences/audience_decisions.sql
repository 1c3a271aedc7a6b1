{#-
    CTEs of segql.audience: which of the asked segments may leave, and for each that may not the
    reason. Too small is a segment with fewer than min_size customers, or than two where a holdout
    is drawn. Where segments are exported without naming them, what is left out can be worked out
    from a total, so the next smallest are left out too, until two or more are and together have at
    least min_size customers; the reason does not tell which of them is too small.
-#}
{% macro audience_decisions(options) -%}
    {%- set least = [options.min_size, 2 if options.held_parts > 0 else 1] | max -%}
    {%- set start = segql.hash_number("'" ~ options.seed ~ ":segment:' || segment_key")
        ~ ' % ' ~ options.parts -%}
segment_sizes as (

    select
        segment_key,
        case when min(name) = max(name) then min(name) end as segment_name,
        count(*) as customers
    from members
    group by segment_key

),

asked as (

    select
        segment_key,
        segment_name,
        customers,
        -- A random start, from which the share is never rounded to nobody or everybody.
        {% if options.held_parts > 0 -%}
        least(
            greatest({{ start }}, {{ options.parts }} - customers * {{ options.held_parts }}),
            customers * {{ options.parts - options.held_parts }} - 1
        ) as first_place
        {%- else -%}
        0 as first_place
        {%- endif %}
    from segment_sizes
    {%- if options.only is not none %}
    where
        {{ segql.audience_is_asked(options.only) }}
    {%- endif %}

),

measured as (

    select
        *,
        customers < {{ least }} as is_small,
        customers - {{ segql.holdout_count('customers', 'first_place', options) }}
        < {{ options.min_treated }} as has_few_treated
    from asked

),

hidden as (

    select
        count(case when is_small then 1 end) as small_segments,
        count(*) as segments,
        coalesce(sum(customers), 0) as customers
    from measured
    where is_small or has_few_treated

),

ranked as (

    select
        segment_key,
        row_number() over (order by customers, segment_key) - 1 as smaller_segments,
        sum(customers) over (
            order by customers, segment_key
            rows between unbounded preceding and current row
        ) - customers as smaller_customers
    from measured
    where not (is_small or has_few_treated)

),

decisions as (

    select
        measured.segment_key,
        measured.segment_name,
        measured.customers,
        measured.first_place,
        case
            when
                measured.is_small
                {%- if options.only is none %}
                or (
                    hidden.small_segments > 0
                    and (
                        hidden.segments + ranked.smaller_segments < 2
                        or hidden.customers + ranked.smaller_customers < {{ least }}
                    )
                )
                {%- endif %}
                then 'fewer than {{ least }} customers (min_size)
                    {%- if options.only is none %}, or beside such a segment the next smallest'
                    {%- else %}'{% endif %}
            when measured.has_few_treated
                then 'fewer than {{ options.min_treated }} customers outside the holdout (min_treated)'
        end as reason
    from measured
    cross join hidden
    left join ranked
        on measured.segment_key = ranked.segment_key

)
{%- endmacro %}

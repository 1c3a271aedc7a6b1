{#-
    Whom to contact and whom to hold out: one row per customer with customer_id, segment_key,
    segment_name, is_holdout, holdout_share, stratum, model_version, as_of_date, and never another
    column. Every segment of a relation, or those that `only` names by key or name; of segments
    with fewer than `min_size` customers there are no rows (segql.audience_suppression lists them),
    or an error where `only` names one. The options are those of segql.audience_options.

    The holdout is a stratified draw by permanent random numbers: customers of a stratum are ordered
    by md5 of the seed and their id, and the first are held out, as many as the share asks for, to
    within one in each stratum and in the segment. So it depends on the seed, the id, and through
    the share on who else is in the segment and stratum: where one customer comes or goes, a few
    next to a bound change sides and nobody else.

    {{ segql.audience(ref('customer_segments'), features=ref('rfm_segments'), only=['S1']) }}
-#}
{% macro audience(segments, segment='segment_key', id='customer_id', only=none) -%}
    {%- set options = segql.audience_options('audience', segments, segment, id, only, kwargs) -%}
    {{ return(adapter.dispatch('audience', 'segql')(segments, segment, id, options)) }}
{%- endmacro %}

{% macro default__audience(segments, segment, id, options) -%}
    {%- set strata = range(options.strata | length) -%}
with

{{ segql.audience_members(segments, segment, id, options) }},

{{ segql.audience_decisions(options) }},

{{ segql.audience_refusals(segments, id, options) }},

chosen as (

    select
        members.*,
        decisions.first_place,
        decisions.segment_name
        {%- if options.value is not none %},
        -- Equal values share a group; the missing have one of their own.
        case
            when members.value is not null
                then (
                    rank() over (
                        partition by members.segment_key, members.value is null
                        order by members.value
                    ) - 1
                ) * {{ options.value_groups }} // count(members.value) over (
                    partition by members.segment_key, members.value is null
                )
            else -1
        end as value_group
        {%- endif %}
    from members
    inner join decisions
        on members.segment_key = decisions.segment_key
    where decisions.reason is null

),

stratified as (

    select
        *,
        {% if options.strata or options.value is not none -%}
        cast(
            dense_rank() over (
                partition by segment_key
                order by
                    {%- for place in strata %}
                    stratum_{{ place }} nulls first{{ ',' if not loop.last or options.value is not none }}
                    {%- endfor %}
                    {%- if options.value is not none %}
                    value_group
                    {%- endif %}
            ) as integer
        ) as stratum
        {%- else -%}
        1 as stratum
        {%- endif %}
    from chosen

),

stratum_sizes as (

    select
        segment_key,
        stratum,
        first_place,
        count(*) as customers
    from stratified
    group by segment_key, stratum, first_place

),

reached as (

    select
        *,
        cast(
            sum(customers) over (
                partition by segment_key
                order by stratum
                rows between unbounded preceding and current row
            ) as bigint
        ) as customers_up_to
    from stratum_sizes

),

quotas as (

    select
        segment_key,
        stratum,
        {{ segql.holdout_count('customers_up_to', 'first_place', options) }}
        - {{ segql.holdout_count('(customers_up_to - customers)', 'first_place', options) }}
            as held_out
    from reached

),

drawn as (

    select
        *,
        row_number() over (
            partition by segment_key, stratum
            order by
                {{ segql.hash_number("'" ~ options.seed ~ ":' || id_text") }},
                id_text
        ) as place
    from stratified

),

audience as (

    select
        drawn.customer_id,
        drawn.segment_key,
        drawn.segment_name,
        drawn.place <= quotas.held_out as is_holdout,
        cast({{ options.holdout }} as double) as holdout_share,
        drawn.stratum,
        drawn.model_version,
        drawn.as_of_date
    from drawn
    inner join quotas
        on
            drawn.segment_key = quotas.segment_key
            and drawn.stratum = quotas.stratum
    union all
    -- Reached only where something is refused; in the condition, so that a count fails too.
    select
        members.customer_id,
        members.segment_key,
        null as segment_name,
        null as is_holdout,
        null as holdout_share,
        null as stratum,
        members.model_version,
        members.as_of_date
    from refusals
    left join members
        on false
    where {{ segql.raise_in_query('refusals.message') }} is not null

)

select
    {%- for column in options.columns %}
    {{ column }}{{ ',' if not loop.last }}
    {%- endfor %}
from audience
{%- endmacro %}

{#- CTEs ending in checked, one row; fails the query on results that cannot be meant. -#}
{% macro campaign_faults(source, keys) -%}
    {%- set row = "'campaign ''' || coalesce(results.campaign, '') || ''' and segment '''"
        ~ " || coalesce(results.segment_key, '') || ''''" -%}
{%- if keys is not none %}
names as (

    select distinct segment from {{ keys }} as known where segment is not null

),

accepted_names as (

    select {{ segql.joined_texts('segment', "', '", 'segment') }} as accepted
    from names

),

{% endif -%}
faults as (

    select {{ row }} || ': both need a name' as fault
    from results
    where coalesce(results.campaign, '') = '' or coalesce(results.segment_key, '') = ''
    {%- if keys is not none %}
    union all
    select {{ row }} || ': unknown segment; accepted are ' || accepted_names.accepted as fault
    from results
    cross join accepted_names
    left join names
        on results.segment_key = names.segment
    where names.segment is null and coalesce(results.segment_key, '') <> ''
    {%- endif %}
    union all
    select {{ row }} || ' stand in ' || count(*) || ' rows; accepted is one' as fault
    from results
    group by results.campaign, results.segment_key
    having count(*) > 1
    {%- for arm in ['treated', 'holdout'] %}
    union all
    select
        {{ row }} || ': {{ arm }} got ' || coalesce(cast(results.{{ arm }} as string), 'nothing')
        || '; accepted is a whole number from 1' as fault
    from results
    where
        not coalesce(
            results.{{ arm }} between 1 and 1e15 and results.{{ arm }} = floor(results.{{ arm }}), false
        )
    union all
    select
        {{ row }} || ': {{ arm }}_buyers got '
        || coalesce(cast(results.{{ arm }}_buyers as string), 'nothing')
        || '; accepted is a whole number from 0 to {{ arm }}, ' || results.{{ arm }} as fault
    from results
    where
        results.{{ arm }} between 1 and 1e15
        and not coalesce(
            results.{{ arm }}_buyers between 0 and results.{{ arm }}
            and results.{{ arm }}_buyers = floor(results.{{ arm }}_buyers),
            false
        )
    {%- endfor %}

),

{{ segql.refused_faults(source) }}
{%- endmacro %}

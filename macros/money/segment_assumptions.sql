{#-
    What is assumed of each segment, one row a segment: margin_low, margin, margin_high and
    margin_basis, and so on for each of segql.money_assumptions.

    assumptions is a relation with segment, assumption, low, base, high and basis (assumed or
    measured). segment is `all`, an archetype, or a segment key, and the most specific row counts.
    segments is a relation with segment_key and archetype; other_names one whose column `segment`
    holds what else may be named, as archetypes that no segment has now. Anything that cannot be
    meant fails the query, and is named.

    {{ segql.segment_assumptions(ref('marketing_assumptions'), ref('named_segments')) }}
-#}
{% macro segment_assumptions(assumptions, segments, other_names=none) -%}
    {%- do segql.check_columns('segment_assumptions', assumptions, {
        'segment': 'segment', 'assumption': 'assumption', 'low': 'low', 'base': 'base',
        'high': 'high', 'basis': 'basis',
    }, {'low': 'number', 'base': 'number', 'high': 'number'}) -%}
    {%- do segql.check_columns(
        'segment_assumptions', segments, {'key': 'segment_key', 'archetype': 'archetype'}) -%}
    {{ return(adapter.dispatch('segment_assumptions', 'segql')(
        assumptions, segments, other_names)) }}
{%- endmacro %}

{% macro default__segment_assumptions(assumptions, segments, other_names) -%}
    {%- set known = segql.money_assumptions() -%}
    {%- set source = assumptions.identifier if assumptions is not string else assumptions -%}
with

given as (

    select * from {{ assumptions }}

),

segments as (

    select
        segment_key,
        archetype
    from {{ segments }}

),

names as (

    select segment_key as segment from segments
    union
    select archetype as segment from segments where archetype is not null
    {%- if other_names is not none %}
    union
    select segment from {{ other_names }} as others where segment is not null
    {%- endif %}

),

{{ segql.money_assumption_faults() }},

{{ segql.refused_faults(source) }},

ranked as (

    select
        segments.segment_key,
        given.assumption,
        given.low,
        given.base,
        given.high,
        given.basis,
        row_number() over (
            partition by segments.segment_key, given.assumption
            order by
                case given.segment
                    when segments.segment_key then 1
                    when segments.archetype then 2
                    else 3
                end
        ) as place
    from segments
    inner join given
        on given.segment in (segments.segment_key, segments.archetype, 'all')

)

select
    segments.segment_key,
    {%- for name, assumption in known.items() %}
        {%- set default = assumption.get('default', 'null') %}
        {%- for column, suffix in [('low', '_low'), ('base', ''), ('high', '_high')] %}
    cast(
        coalesce(
            max(case when ranked.assumption = '{{ name }}' then ranked.{{ column }} end), {{ default }}
        ) as double
    ) as {{ name }}{{ suffix }},
        {%- endfor %}
    coalesce(
        max(case when ranked.assumption = '{{ name }}' then ranked.basis end), 'assumed'
    ) as {{ name }}_basis
        {{- ',' if not loop.last }}
    {%- endfor %}
from segments
cross join checked
left join ranked
    on
        segments.segment_key = ranked.segment_key
        and ranked.place = 1
where checked.is_fine
group by segments.segment_key
{%- endmacro %}

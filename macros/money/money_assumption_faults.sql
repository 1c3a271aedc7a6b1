{#-
    CTEs ending in faults, one message for each row of given (assumptions) that cannot be meant and
    each segment of segments that lacks an assumption; names are the accepted segments.
-#}
{% macro money_assumption_faults() -%}
    {%- set known = segql.money_assumptions() -%}
    {%- set named = "coalesce(given.assumption, 'nothing') || ' of ' || coalesce(given.segment, '')" -%}
accepted_names as (

    select {{ segql.joined_texts('segment', "', '", 'segment') }} as accepted
    from names

),

accepted_assumptions as (

    {% for name, assumption in known.items() -%}
    select
        {{ segql.string_literal(name) }} as assumption,
        {{ segql.string_literal(assumption.said) }} as said,
        {{ 'true' if 'default' not in assumption else 'false' }} as is_required
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

faults as (

    select
        'unknown segment ''' || coalesce(given.segment, '') || '''; accepted are all, '
        || accepted_names.accepted as fault
    from given
    cross join accepted_names
    left join names
        on given.segment = names.segment
    where names.segment is null and coalesce(given.segment, '') <> 'all'
    union all
    select
        'unknown assumption ''' || coalesce(assumption, '') || ''' of '
        || coalesce(segment, '') || '; accepted are {{ known | join(", ") }}' as fault
    from given
    where
        assumption is null
        or assumption not in ('{{ known | join("', '") }}')
    union all
    select
        {{ named }} || ' has the basis ''' || coalesce(given.basis, '')
        || '''; accepted are assumed, measured' as fault
    from given
    where given.basis is null or given.basis not in ('assumed', 'measured')
    union all
    select {{ named }} || ' stands in ' || count(*) || ' rows; accepted is one' as fault
    from given
    group by given.assumption, given.segment
    having count(*) > 1
    union all
    select
        {{ named }} || ' got ' || coalesce(
            case when not coalesce({{ segql.money_accepted('low', known) }}, false)
                then 'low ' || coalesce(cast(given.low as string), 'nothing') end,
            case when not coalesce({{ segql.money_accepted('base', known) }}, false)
                then 'base ' || coalesce(cast(given.base as string), 'nothing') end,
            'high ' || coalesce(cast(given.high as string), 'nothing')
        ) || '; accepted is ' || accepted_assumptions.said as fault
    from given
    inner join accepted_assumptions
        on given.assumption = accepted_assumptions.assumption
    where not (
        coalesce({{ segql.money_accepted('low', known) }}, false)
        and coalesce({{ segql.money_accepted('base', known) }}, false)
        and coalesce({{ segql.money_accepted('high', known) }}, false)
    )
    union all
    select
        {{ named }} || ' has low ' || given.low || ', base ' || given.base || ' and high '
        || given.high || '; accepted is low <= base <= high' as fault
    from given
    where given.low > given.base or given.base > given.high
    union all
    select
        accepted_assumptions.assumption || ' of ' || segments.segment_key || ' ('
        || coalesce(segments.archetype, 'no archetype')
        || ') is missing; a row for all, the archetype or the segment gives it' as fault
    from segments
    cross join accepted_assumptions
    left join given
        on
            accepted_assumptions.assumption = given.assumption
            and given.segment in (segments.segment_key, segments.archetype, 'all')
    where accepted_assumptions.is_required and given.assumption is null

)
{%- endmacro %}

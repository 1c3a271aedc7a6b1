{#-
    What to do for each segment of a relation: action, offer style, channel and measure of the
    playbook's row of the segment's key, else of its archetype; and when. segments has segment_key,
    segment_name, archetype and customers; timing is the relation of segql.segment_timing. A
    playbook with a missing, doubled or unknown archetype fails the query and names it;
    segment_keys is a relation of all the segment_key that it may name, by default the segments.

    {{ segql.segment_actions('named', 'timing', ref('playbook')) }}
-#}
{% macro segment_actions(segments, timing, playbook, segment_map='segments', segment_keys=none) -%}
    {%- do segql.check_columns('segment_actions', playbook, {
        'archetype': 'archetype', 'action': 'action', 'offer_style': 'offer_style',
        'channel': 'channel', 'measure': 'measure',
    }) -%}
    {{ return(adapter.dispatch('segment_actions', 'segql')(
        segments, timing, playbook, segment_map, segment_keys)) }}
{%- endmacro %}

{% macro default__segment_actions(
    segments, timing, playbook, segment_map, segment_keys
) -%}
with

segments as (

    select * from {{ segments }}

),

timing as (

    select * from {{ timing }}

),

playbook as (

    select * from {{ playbook }}

),

faults as (

    {{ segql.playbook_faults(playbook, segment_keys or segments, segment_map) | indent(4) }}

),

fault as (

    select {{ segql.joined_texts('fault', "'; '", 'archetype, fault') }} as faults
    from faults

)

select
    segments.segment_key,
    segments.segment_name,
    segments.archetype,
    segments.customers,
    case
        when fault.faults is not null
            then {{ segql.raise_in_query("'the playbook: ' || fault.faults") }}
        else coalesce(own.action, general.action)
    end as action,
    coalesce(own.offer_style, general.offer_style) as offer_style,
    coalesce(own.channel, general.channel) as channel,
    {{ segql.timing_sentence('timing', 'segments.archetype') | indent(4) }} as timing,
    coalesce(timing.intervals, 0) as intervals,
    timing.median_interval_days,
    -- Who never bought has no last order to count from.
    case when segments.archetype <> 'Prospects' then timing.contact_after_days end
        as contact_after_days,
    case when segments.archetype = 'Prospects' then 'none' else coalesce(timing.timing_basis, 'none') end
        as timing_basis,
    case
        when segments.archetype = 'Prospects' then segments.customers
        else coalesce(timing.customers_due, 0)
    end as customers_due,
    coalesce(own.measure, general.measure) as measure
from segments
cross join fault
left join timing
    on segments.segment_key = timing.segment_key
left join playbook as own
    on segments.segment_key = own.archetype
left join playbook as general
    on segments.archetype = general.archetype
{%- endmacro %}

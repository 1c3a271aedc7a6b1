-- depends_on: {{ ref('kmeans_segments') }}
with

archetypes as (

    {{ segql.known_archetypes(rfm_map_var()) | indent(4) }}

),

other_names as (

    select archetype as segment from archetypes
    union
    {{ segql.known_segment_keys('customers') | indent(4) }}

),

segment_assumptions as (

    {{ segql.segment_assumptions(
        ref('marketing_assumptions'),
        ref('named_segments'),
        'other_names'
    ) | indent(4) }}

)

select * from segment_assumptions

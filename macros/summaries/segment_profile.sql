{#-
    What sets each segment apart, whether a model learned from it or not. One row per segment and
    numeric column of the features, with the mean, the index (100 = all customers) and the z-score
    of the segment; and one per segment, column of text and level, where the mean is the share of
    the segment's customers. eta_squared, from 0 to 1, is how much of the column's (or level's)
    variance lies between the segments, feature_rank its place by that, and place the row's place
    within the segment by the size of the z-score.

    columns is a list of those to profile; segment is any column of segments, a relation with the
    same id, or of the features when segments is none. Of a text column the `max_levels` most
    frequent levels with at least `min_customers` customers are shown, the rest is "other".

    {{ segql.segment_profile(ref('features'), ref('rfm_segments'), segment='rfm_segment') }}
-#}
{% macro segment_profile(
    features,
    segments=none,
    id='customer_id',
    columns=none,
    segment='segment_key',
    max_levels=10,
    min_customers=11
) -%}
    {{ return(adapter.dispatch('segment_profile', 'segql')(
        features, segments, id, columns, segment, max_levels, min_customers)) }}
{%- endmacro %}

{% macro default__segment_profile(
    features, segments, id, columns, segment, max_levels, min_customers
) -%}
    {%- set macro = 'segment_profile' -%}
    {%- do segql.number_option(macro, 'max_levels', max_levels, lowest=1) -%}
    {%- do segql.number_option(macro, 'min_customers', min_customers, lowest=1) -%}
    {%- do segql.check_columns(macro, features, {'id': none if segments is none else id}) -%}
    {%- for column in columns or [] -%}
        {%- do segql.check_columns(macro, features, {'columns': column}) -%}
    {%- endfor -%}
    {%- do segql.check_columns(
        macro, features if segments is none else segments, {'segment': segment}) -%}
    {%- set wanted = (columns or []) | map('lower') | list -%}
    {%- set numeric = [] -%}
    {%- set categories = [] -%}
    {%- for column in segql.relation_columns(features, except=[id | lower, segment | lower]) -%}
        {%- if not wanted or column.name | lower in wanted -%}
            {%- do column.update({'position': loop.index}) -%}
            {%- if column.kind in ['number', 'boolean'] -%}
                {%- do numeric.append(column) -%}
            {%- elif column.kind == 'text' -%}
                {%- do categories.append(column) -%}
            {%- endif -%}
        {%- endif -%}
    {%- endfor -%}
    {%- set key = segql.segment_key(
        ('features.' if segments is none else 'segments.') ~ segql.quote_identifier(segment)) -%}
    {%- if not numeric and not categories -%}
        {{ return(segql.empty_profile()) }}
    {%- endif -%}
with

{% if numeric -%}
numbers as (

    {{ segql.numeric_profile(features, segments, id, numeric, key) | indent(4) }}

),

{% endif -%}
{% if categories -%}
categories as (

    {{ segql.category_profile(
        features, segments, id, categories, key, max_levels, min_customers) | indent(4) }}

),

{% endif -%}
profiled as (
    {% if numeric %}
    select * from numbers
    {% endif -%}
    {%- if numeric and categories %}
    union all
    {%- endif -%}
    {%- if categories %}
    select * from categories
    {% endif %}
),

scored as (

    select
        *,
        case when overall_mean > 0 then 100 * mean / overall_mean end as index_100,
        (mean - overall_mean) / nullif(overall_deviation, 0) as z_score
    from profiled

),

-- Decimals, so that the order of the segments does not matter.
explained as (

    select
        feature_position,
        level,
        cast(
            sum(cast(customers * z_score * z_score as decimal(38, 9))) as double
        ) / nullif(sum(customers), 0) as eta_squared
    from scored
    group by feature_position, level

),

ranked as (

    select
        feature_position,
        level,
        eta_squared,
        cast(row_number() over (
            order by
                coalesce(round(eta_squared, 9), 0) desc,
                feature_position,
                level
        ) as bigint) as feature_rank
    from explained

)

select
    scored.segment_key,
    scored.feature,
    scored.level,
    scored.feature_position,
    scored.customers,
    scored.mean,
    scored.overall_mean,
    scored.index_100,
    scored.z_score,
    ranked.eta_squared,
    ranked.feature_rank,
    cast(row_number() over (
        partition by scored.segment_key
        order by
            coalesce(round(abs(scored.z_score), 9), 0) desc,
            scored.feature_position,
            scored.level
    ) as bigint) as place
from scored
inner join ranked
    on
        scored.feature_position = ranked.feature_position
        and scored.level is not distinct from ranked.level
{%- endmacro %}

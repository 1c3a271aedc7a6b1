{#-
    A readable, unique name and an archetype for each segment key. The archetype is the RFM
    segment that most of the members are in; the name says which mean scores are high or low,
    with big and small spenders also on that side of the mean, and whether the segment's customers
    are new (a low mean tenure, not lapsed). Segments that would share a name add the feature that
    sets them apart most, or else their key.
-#}
{% macro segment_names(
    segments,
    scores,
    profile,
    segment_map='segments',
    low_score=2.333,
    high_score=3.667,
    one_time_orders=1.5,
    new_tenure_z_score=-1
) -%}
with

segments as (

    select
        customer_id,
        {{ segql.segment_key('segment_key') }} as segment_key
    from {{ segments }}

),

scores as (

    select * from {{ scores }}

),

profile as (

    select * from {{ profile }}

),

segment_map as (

    {{ segql.rfm_map_query(segment_map) | indent(4) }}

),

feature_words as (

    {{ segql.feature_words() }}

),

averaged as (

    select
        segments.segment_key,
        cast(sum(scores.r_score) as double) / count(scores.r_score) as mean_r,
        cast(sum(scores.f_score) as double) / count(scores.f_score) as mean_f,
        cast(sum(scores.m_score) as double) / count(scores.m_score) as mean_m,
        cast(sum(scores.frequency) as double) / count(scores.frequency) as mean_orders
    from segments
    left join scores
        on segments.customer_id = scores.customer_id
    group by segments.segment_key

),

mapped as (

    select
        segments.segment_key,
        segment_map.rfm_segment,
        row_number() over (
            partition by segments.segment_key
            order by count(*) desc, segment_map.rfm_segment
        ) as place
    from segments
    inner join scores
        on segments.customer_id = scores.customer_id
    inner join segment_map
        on
            cast(100 * scores.r_score + 10 * scores.f_score + scores.m_score as string)
            = segment_map.rfm_code
    group by segments.segment_key, segment_map.rfm_segment

),

spending as (

    select
        segment_key,
        z_score
    from profile
    where feature = 'monetary'

),

newcomers as (

    select segment_key
    from profile
    where feature = 'tenure' and z_score <= {{ new_tenure_z_score }}

),

worded as (

    select
        averaged.*,
        case
            when newcomers.segment_key is not null and mean_r > {{ low_score }} then 'new '
            when mean_r >= {{ high_score }} then 'recent '
            when mean_r <= {{ low_score }} then 'lapsed '
            else ''
        end as r_word,
        case
            when mean_f >= {{ high_score }} then 'frequent '
            when mean_orders < {{ one_time_orders }} then 'one-time '
            when mean_f <= {{ low_score }} then 'occasional '
            else ''
        end as f_word,
        case
            when mean_m >= {{ high_score }} and coalesce(spending.z_score, 1) > 0
                then 'big spenders'
            when mean_m <= {{ low_score }} and coalesce(spending.z_score, -1) < 0
                then 'small spenders'
            else 'customers'
        end as m_word
    from averaged
    left join newcomers
        on averaged.segment_key = newcomers.segment_key
    left join spending
        on averaged.segment_key = spending.segment_key

),

named as (

    select
        worded.segment_key,
        worded.mean_r,
        worded.mean_f,
        worded.mean_m,
        case
            when worded.segment_key = 'prospect' then 'Prospects'
            when worded.segment_key = 'noise' then 'Unusual customers'
            when worded.segment_key = 'unscored' then 'Not scorable'
            else mapped.rfm_segment
        end as archetype,
        case
            when worded.segment_key = 'prospect' then 'Prospects'
            when worded.segment_key = 'noise' then 'Unusual customers'
            when worded.segment_key = 'unscored' then 'Not scorable'
            when worded.r_word || worded.f_word || worded.m_word = 'customers'
                then 'Average customers'
            else
                upper(substr(worded.r_word || worded.f_word || worded.m_word, 1, 1))
                || substr(worded.r_word || worded.f_word || worded.m_word, 2)
        end as plain_name
    from worded
    left join mapped
        on worded.segment_key = mapped.segment_key and mapped.place = 1

),

namesakes as (

    select
        *,
        count(*) over (partition by plain_name) as namesakes
    from named

),

set_apart as (

    select
        namesakes.segment_key,
        feature_words.place,
        feature_words.high_word,
        feature_words.low_word,
        profile.z_score
        - avg(profile.z_score) over (partition by namesakes.plain_name, profile.feature)
            as difference
    from namesakes
    inner join profile
        on namesakes.segment_key = profile.segment_key
    inner join feature_words
        on profile.feature = feature_words.feature
    where namesakes.namesakes > 1 and profile.z_score is not null

),

ranked as (

    select
        segment_key,
        case when difference > 0 then high_word else low_word end as word,
        row_number() over (
            partition by segment_key
            order by round(abs(difference), 9) desc, place
        ) as choice
    from set_apart
    where abs(difference) > 1e-9

),

distinguished as (

    select
        namesakes.*,
        namesakes.plain_name || coalesce(', ' || ranked.word, '') as longer_name
    from namesakes
    left join ranked
        on namesakes.segment_key = ranked.segment_key and ranked.choice = 1

),

counted as (

    select
        *,
        count(*) over (partition by longer_name) as same_longer_name
    from distinguished

)

select
    segment_key,
    case
        when same_longer_name > 1 then longer_name || ' (' || segment_key || ')'
        else longer_name
    end as segment_name,
    archetype,
    mean_r,
    mean_f,
    mean_m
from counted
{%- endmacro %}

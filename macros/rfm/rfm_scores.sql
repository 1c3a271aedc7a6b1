{#- The scores of every customer by the newest cut points; 555 is best. -#}
{% macro rfm_scores(features, cuts) -%}
with

features as (

    select * from {{ features }}

),

cuts as (

    select * from {{ cuts }}
    where version = (select max(version) from {{ cuts }})

),

scored as (

    select
        features.customer_id,
        features.recency,
        features.frequency,
        features.monetary,
        {{ segql.rfm_score('features.recency', 'recency_cuts', descending=true) }} as r_score,
        {{ segql.rfm_score('features.frequency', 'frequency_cuts') }} as f_score,
        {{ segql.rfm_score('features.monetary', 'monetary_cuts') }} as m_score,
        recency_cuts.version as cuts_version,
        features.as_of_date
    from features
    inner join cuts as recency_cuts
        on recency_cuts.dimension = 'recency'
    inner join cuts as frequency_cuts
        on frequency_cuts.dimension = 'frequency'
    inner join cuts as monetary_cuts
        on monetary_cuts.dimension = 'monetary'

),

coded as (

    select
        customer_id,
        recency,
        frequency,
        monetary,
        r_score,
        f_score,
        m_score,
        cast(100 * r_score + 10 * f_score + m_score as varchar) as rfm_code,
        cuts_version,
        as_of_date
    from scored

)

select * from coded
{%- endmacro %}

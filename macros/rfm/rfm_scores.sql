{#-
    The scores of every customer by the newest cut points; 555 is best. cuts is the relation of
    segql.rfm_cuts. The names of the features' columns can be given.
-#}
{% macro rfm_scores(
    features,
    cuts,
    id='customer_id',
    recency='recency',
    frequency='frequency',
    monetary='monetary'
) -%}
    {{ return(adapter.dispatch('rfm_scores', 'segql')(
        features, cuts, id, recency, frequency, monetary)) }}
{%- endmacro %}

{% macro default__rfm_scores(features, cuts, id, recency, frequency, monetary) -%}
    {%- do segql.check_columns('rfm_scores', features, {
        'id': id, 'recency': recency, 'frequency': frequency, 'monetary': monetary
    }) -%}
    {%- set names = segql.relation_columns(features) | map(attribute='name') | map('lower') | list -%}
    {%- set dated = not names or 'as_of_date' in names -%}
with

features as (

    select
        {{ segql.quote_identifier(id) }} as customer_id,
        {{ segql.quote_identifier(recency) }} as recency,
        {{ segql.quote_identifier(frequency) }} as frequency,
        {{ segql.quote_identifier(monetary) }} as monetary,
        {{ 'as_of_date' if dated else 'cast(null as date)' }} as as_of_date
    from {{ features }}

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
        cast(100 * r_score + 10 * f_score + m_score as string) as rfm_code,
        cuts_version,
        as_of_date
    from scored

)

select * from coded
{%- endmacro %}

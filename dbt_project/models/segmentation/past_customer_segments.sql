-- depends_on: {{ ref('kmeans_segments') }}
with

past_known_customers as (

    select * from {{ ref('past_known_customers') }}

),

past_as_of as (

    select * from {{ ref('past_as_of') }}

),

segments as (

    {{ segql.predict('customers', ref('past_customer_features')) | indent(4) }}

),

scores as (

    {{ segql.rfm_scores(ref('past_customer_features'), ref('rfm_cuts')) | indent(4) }}

),

rfm_segments as (

    {{ segql.rfm_segment('scores', rfm_map_var()) | indent(4) }}

)

select
    past_known_customers.customer_id,
    case
        when segments.customer_id is null then 'prospect'
        else {{ segql.segment_key('segments.segment_key') }}
    end as segment_key,
    coalesce(rfm_segments.rfm_segment, 'prospect') as rfm_segment,
    rfm_segments.rfm_code,
    past_as_of.as_of_date,
    past_as_of.next_until,
    past_as_of.has_history,
    segments.model_version
from past_known_customers
cross join past_as_of
left join segments
    on past_known_customers.customer_id = segments.customer_id
left join rfm_segments
    on past_known_customers.customer_id = rfm_segments.customer_id

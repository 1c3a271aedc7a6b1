with

segmented as (

    {{ segql.rfm_segment(ref('rfm_scores'), rfm_map_var()) | indent(4) }}

)

select
    customer_id,
    recency,
    frequency,
    monetary,
    r_score,
    f_score,
    m_score,
    rfm_code,
    rfm_segment,
    cuts_version,
    as_of_date
from segmented
order by customer_id

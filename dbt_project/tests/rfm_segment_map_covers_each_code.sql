-- The map names a segment for each of the 125 codes.
with

codes as (

    select cast(100 * scores_r.score + 10 * scores_f.score + scores_m.score as varchar) as rfm_code
    from (values (1), (2), (3), (4), (5)) as scores_r (score)
    cross join (values (1), (2), (3), (4), (5)) as scores_f (score)
    cross join (values (1), (2), (3), (4), (5)) as scores_m (score)

),

segment_map as (

    select * from {{ ref('rfm_segment_map') }}

)

select
    codes.rfm_code,
    segment_map.rfm_code as mapped_code
from codes
full outer join segment_map
    on codes.rfm_code = segment_map.rfm_code
where codes.rfm_code is null or segment_map.rfm_code is null

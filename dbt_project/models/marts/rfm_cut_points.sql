with

cut_points as (

    {{ segql.rfm_cut_points(ref('rfm_cuts')) | indent(4) }}

)

select * from cut_points
order by
    version,
    dimension,
    score

{#- The codes that a map of RFM codes misses, holds twice or invents; no row for a whole map. -#}
{% macro rfm_map_faults(segment_map) -%}
with

scores as (

    {% for score in range(1, 6) -%}
    select {{ score }} as score
    {{ 'union all' if not loop.last }}
    {% endfor %}

),

codes as (

    select cast(100 * r.score + 10 * f.score + m.score as string) as rfm_code
    from scores as r
    cross join scores as f
    cross join scores as m

),

mapped as (

    select
        cast(rfm_code as string) as rfm_code,
        count(*) as map_rows,
        count(rfm_segment) as named_rows
    from {{ segment_map }}
    group by cast(rfm_code as string)

)

select
    coalesce(codes.rfm_code, mapped.rfm_code, 'NULL') as rfm_code,
    case
        when codes.rfm_code is null then 'unknown'
        when mapped.rfm_code is null or mapped.named_rows = 0 then 'missing'
        else 'repeated'
    end as fault
from codes
full outer join mapped
    on codes.rfm_code = mapped.rfm_code
where
    codes.rfm_code is null
    or mapped.rfm_code is null
    or mapped.map_rows <> 1
    or mapped.named_rows <> 1
{%- endmacro %}

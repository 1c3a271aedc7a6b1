{#-
    RFM scores cut into a number of groups of as many customers each: by the sum of the three scores,
    and by the amount spent where sums are equal; customers equal in both share a group. scores is
    a relation of segql.rfm_scores, groups a number or an SQL expression of one. Gives the scores and
    rfm_group, 1 for the lowest.

    {{ segql.rfm_groups(ref('rfm_scores'), 4) }}
-#}
{% macro rfm_groups(scores, groups) -%}
    {%- do segql.check_columns('rfm_groups', scores, {
        'r_score': 'r_score', 'f_score': 'f_score', 'm_score': 'm_score', 'monetary': 'monetary',
    }) -%}
    {{ return(adapter.dispatch('rfm_groups', 'segql')(scores, groups)) }}
{%- endmacro %}

{% macro default__rfm_groups(scores, groups) -%}
with

scores as (

    select * from {{ scores }}

),

placed as (

    select
        *,
        rank() over (order by r_score + f_score + m_score, monetary) - 1 as customers_below,
        count(*) over () as customers
    from scores

)

select
    placed.*,
    cast(1 + floor(1e0 * {{ groups }} * customers_below / customers) as integer) as rfm_group
from placed
{%- endmacro %}

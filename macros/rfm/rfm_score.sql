{#-
    A score from 1 to 5 by four cut points: 1 plus the cuts below the value, so that equal
    values share a score; descending counts the other way, for recency.
-#}
{% macro rfm_score(value, cuts, descending=false) -%}
    cast(
        {{ '5 -' if descending else '1 +' }} (
            {%- for number in [1, 2, 3, 4] %}
            case when {{ value }} > {{ cuts }}.cut_{{ number }} then 1 else 0 end
            {{- ' +' if not loop.last }}
            {%- endfor %}
        ) as integer
    )
{%- endmacro %}

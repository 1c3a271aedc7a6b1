{#-
    A CTE `checked` of one row, is_fine, that fails the query on the first of the rows of a CTE
    `faults`: the source and its fault, a sentence. What is read from checked fails with it.
-#}
{% macro refused_faults(source) -%}
checked as (

    select
        case
            when min(fault) is not null
                then {{ segql.raise_in_query(
                    segql.string_literal(source ~ ': ') ~ ' || min(fault)') }}
            else true
        end as is_fine
    from faults

)
{%- endmacro %}

{#- Refuses dates that a history does not hold, naming those it holds, and dates out of order. -#}
{% macro check_transition_dates(history, date, from_date, to_date) -%}
    {%- if from_date is not none and to_date is not none
        and from_date | string >= to_date | string -%}
        {%- do exceptions.raise_compiler_error(
            'segment_transitions: from_date ' ~ from_date ~ ' is not before to_date ' ~ to_date
        ) -%}
    {%- endif -%}
    {%- if execute and (from_date is not none or to_date is not none)
        and segql.relation_columns(history) -%}
        {%- set column = 'cast(' ~ segql.quote_identifier(date) ~ ' as date)' -%}
        {%- set held = run_query(
            'select distinct cast(' ~ column ~ ' as string) from ' ~ history
            ~ ' where ' ~ column ~ ' is not null order by 1').columns[0].values() | list -%}
        {%- for name, value in [('from_date', from_date), ('to_date', to_date)]
            if value is not none -%}
            {%- do segql.date_literal(name, value) -%}
            {%- if (value | string)[:10] not in held -%}
                {%- do exceptions.raise_compiler_error(
                    'segment_transitions: ' ~ name ~ ' ' ~ value ~ ' is not a date of ' ~ history
                    ~ '; it holds ' ~ (held[-30:] | join(', ') or 'none')
                ) -%}
            {%- endif -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#-
    The last months' ends before the as-of date, newest first, as text; months that ended before
    the first order are left out and said. none before the relations are built.
-#}
{% macro past_month_ends(months, as_of, order_lines, timestamp='ordered_at') -%}
    {%- do segql.number_option('segment_history', 'history_months', months) -%}
    {%- if not execute or months == 0 -%}{{ return([]) }}{%- endif -%}
    {%- set query -%}
        select
            cast(as_of.as_of_date as string) as as_of_date,
            cast(first_order.first_order_on as string) as first_order_on
        from {{ as_of }} as as_of
        cross join (
            select cast(min({{ segql.quote_identifier(timestamp) }}) as date) as first_order_on
            from {{ order_lines }}
        ) as first_order
    {%- endset -%}
    {%- set row = run_query(query).rows[0] -%}
    {%- set month = modules.datetime.date.fromisoformat(row[0]).replace(day=1) -%}
    {%- set ends = [] -%}
    {%- set state = namespace(month=month) -%}
    {%- for _ in range(months) -%}
        {%- set end = state.month - modules.datetime.timedelta(days=1) -%}
        {%- if end.isoformat() >= row[1] -%}
            {%- do ends.append(end.isoformat()) -%}
        {%- endif -%}
        {%- set state.month = end.replace(day=1) -%}
    {%- endfor -%}
    {%- if ends | length < months -%}
        {%- do log(
            'segql: segment_history: ' ~ ends | length ~ ' of ' ~ months
            ~ ' month ends lie on or after the first order (' ~ row[1] ~ ')',
            info=true
        ) -%}
    {%- endif -%}
    {{ return(ends) }}
{%- endmacro %}

{#- The kind of a column type: number, text, timestamp, timestamptz, boolean or other. -#}
{% macro column_kind(type) -%}
    {{ return(adapter.dispatch('column_kind', 'segql')(type | upper)) }}
{%- endmacro %}

{#- Spark's timestamp is an instant; the one without a zone is timestamp_ntz. -#}
{% macro spark__column_kind(type) -%}
    {{ return('timestamptz' if type in ['TIMESTAMP', 'TIMESTAMP_LTZ']
        else segql.default__column_kind(type)) }}
{%- endmacro %}

{% macro default__column_kind(type) -%}
    {%- if type.endswith(']') or type.startswith(('STRUCT', 'MAP', 'UNION')) -%}
        {{ return('other') }}
    {%- elif type.startswith(('VARCHAR', 'ENUM', 'TEXT', 'STRING', 'CHAR')) -%}
        {{ return('text') }}
    {%- elif 'WITH TIME ZONE' in type and type.startswith('TIMESTAMP') -%}
        {{ return('timestamptz') }}
    {%- elif type.startswith(('TIMESTAMP', 'DATE')) -%}
        {{ return('timestamp') }}
    {%- elif type.startswith('BOOL') -%}
        {{ return('boolean') }}
    {%- elif modules.re.match('^U?(TINY|SMALL|BIG|HUGE)?INT|^U?INTEGER|^FLOAT|^REAL|^DOUBLE|^DECIMAL|^NUMERIC|^BIGNUM', type) -%}
        {{ return('number') }}
    {%- endif -%}
    {{ return('other') }}
{%- endmacro %}

{#- The bins that a version stored at its fit, as text that keeps every digit; none of an old one. -#}
{% macro feature_bins(model, version) -%}
    {%- if not segql.registry_has('feature_bins') -%}{{ return([]) }}{%- endif -%}
    {%- set rows = run_query(
        'select feature, kind, cast(lower as string) as lower, cast(upper as string) as upper,'
        ~ ' category, cast(share as string) as share from segql.feature_bins where model_name = '
        ~ segql.string_literal(model) ~ ' and model_version = ' ~ version
        ~ ' order by feature, bin'
    ).rows -%}
    {%- set levels = {} -%}
    {%- for row in rows if row['kind'] == 'category' -%}
        {%- do levels.setdefault(row['feature'], []).append(row['category']) -%}
    {%- endfor -%}
    {%- set bins = [] -%}
    {%- for row in rows -%}
        {%- do bins.append({
            'feature': row['feature'], 'kind': row['kind'], 'lower': row['lower'],
            'upper': row['upper'], 'category': row['category'], 'share': row['share'],
            'levels': levels.get(row['feature']),
        }) -%}
    {%- endfor -%}
    {{ return(bins) }}
{%- endmacro %}

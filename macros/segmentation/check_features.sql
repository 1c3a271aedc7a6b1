{#-
    Refuses to score rows that lack the id or a feature of the frozen model, by name, or whose
    feature is of another kind than at the fit.
-#}
{% macro check_features(name, model_version, input_sql, id, what) -%}
    {%- set columns = {} -%}
    {%- for column in segql.source_columns('(' ~ input_sql ~ ')') -%}
        {%- do columns.update({column.name | lower: column}) -%}
    {%- endfor -%}
    {%- set listed = columns.values() | map(attribute='name') | join(', ') -%}
    {%- if id | lower not in columns -%}
        {%- do exceptions.raise_compiler_error(
            what ~ ": id got '" ~ id ~ "', which is no column of the query; accepted are " ~ listed
        ) -%}
    {%- endif -%}
    {%- set features = run_query(
        'select input, kind from segql.feature_info where used and model_version = '
        ~ model_version ~ ' and model_name = ' ~ segql.string_literal(name)
    ).rows -%}
    {%- for feature, kind in features -%}
        {%- if feature | lower not in columns -%}
            {%- do exceptions.raise_compiler_error(
                what ~ ": the query lacks column '" ~ feature ~ "', a feature of model '" ~ name
                ~ "' version " ~ model_version ~ ' (there are: ' ~ listed
                ~ '); add it, or refit with --full-refresh'
            ) -%}
        {%- endif -%}
        {%- set found = segql.column_kind(columns[feature | lower].type) -%}
        {%- if kind == 'number' and found in ['text', 'timestamp', 'timestamptz', 'other'] -%}
            {%- do exceptions.raise_compiler_error(
                what ~ ": column '" ~ feature ~ "' is " ~ columns[feature | lower].type
                ~ ", but model '" ~ name ~ "' version " ~ model_version
                ~ ' learned it as a number; cast it, or refit with --full-refresh'
            ) -%}
        {%- endif -%}
    {%- endfor -%}
{%- endmacro %}

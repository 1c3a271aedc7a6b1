{#-
    Refuses a list of segments that is empty, and, in a run, segments that a relation does not
    have, by key or by name, with the nearest. In other commands the query itself refuses them.
-#}
{% macro check_asked_segments(macro, segments, segment, only, name) -%}
    {%- if only is not none and (only is mapping or only is not iterable or not only) -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ": only got '" ~ only ~ "'; accepted is a list of segment keys or names"
        ) -%}
    {%- endif -%}
    {%- if execute and only is not none and flags.WHICH in ['run', 'build', 'show']
        and segql.relation_columns(segments) -%}
        {%- set known = run_query(
            'select distinct ' ~ segql.segment_key(segql.quote_identifier(segment))
            ~ ' as segment_key, ' ~ (name or 'null') ~ ' as segment_name from '
            ~ segments ~ ' as segments order by segment_key'
        ) -%}
        {%- set names = known.columns[0].values() | list
            + known.columns[1].values() | reject('none') | list -%}
        {%- for wanted in only if wanted | string not in names -%}
            {%- do exceptions.raise_compiler_error(
                macro ~ ": there is no segment '" ~ wanted ~ "' (only) in " ~ segments
                ~ '; there are ' ~ segql.nearest_names(wanted, names | unique | list)
            ) -%}
        {%- endfor -%}
    {%- endif -%}
{%- endmacro %}

{#- A format of strptime such as %d/%m/%Y as a pattern of Spark; a letter it lacks is refused. -#}
{% macro datetime_pattern(format) -%}
    {%- set letters = {
        'Y': 'yyyy', 'y': 'yy', 'm': 'M', '-m': 'M', 'd': 'd', '-d': 'd', 'B': 'MMMM', 'b': 'MMM',
        'H': 'H', '-H': 'H', 'I': 'h', '-I': 'h', 'p': 'a', 'M': 'm', '-M': 'm', 'S': 's',
        '-S': 's', 'f': 'SSSSSS', 'g': 'SSS', 'j': 'D', '%': '%',
    } -%}
    {%- set parts = [] -%}
    {%- for directive, text in modules.re.findall("%(-?.)|([^%]+)", format) -%}
        {%- if directive and directive not in letters -%}
            {%- do exceptions.raise_compiler_error(
                "timestamp_format got '" ~ format ~ "': %" ~ directive ~ ' is not read on '
                ~ target.type ~ '; accepted are %' ~ letters | join(', %')
            ) -%}
        {%- elif directive -%}
            {%- do parts.append(letters[directive]) -%}
        {%- else -%}
            {%- do parts.append(modules.re.sub('([A-Za-z]+)', "'\\1'", text)) -%}
        {%- endif -%}
    {%- endfor -%}
    {{ return(parts | join) }}
{%- endmacro %}

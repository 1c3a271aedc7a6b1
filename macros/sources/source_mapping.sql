{#-
    The mapping of one source, checked against what exists: where it is read from,
    its columns and their types. none when an optional source is absent.
-#}
{% macro source_mapping(name, quiet=false) -%}
    {%- set defaults = segql.source_defaults(name) -%}
    {%- set given = var(name, {}) -%}
    {%- if given is none and name != 'order_lines' -%}
        {%- do segql.log_absence(name ~ ' is switched off', quiet) -%}
        {{ return(none) }}
    {%- endif -%}
    {%- if given is string -%}
        {%- set given = {'relation': given} -%}
    {%- elif given is none -%}
        {%- set given = {} -%}
    {%- elif given is not mapping -%}
        {%- do exceptions.raise_compiler_error(
            name ~ ": the var must be a mapping such as {relation: " ~ defaults.relation ~ "}, not "
            ~ given
        ) -%}
    {%- endif -%}
    {%- do segql.check_mapping_keys(name, given, defaults) -%}

    {%- set text = given.get('relation', defaults.relation) | string -%}
    {%- set located = segql.locate_relation(text) -%}
    {%- if located is none -%}
        {%- if name != 'order_lines' and not given -%}
            {%- do segql.log_absence('there is no ' ~ text, quiet) -%}
            {{ return(none) }}
        {%- endif -%}
        {%- do exceptions.raise_compiler_error(
            name ~ ': there is no ' ~ ('file ' if segql.is_file(text) else 'relation ') ~ text
            ~ '; ' ~ segql.known_relations(text)
        ) -%}
    {%- endif -%}

    {%- set found = segql.source_columns(located.from) -%}
    {%- set names = {} -%}
    {%- set types = {} -%}
    {%- for key, default in defaults.required + defaults.optional -%}
        {%- set wanted = given.get(key, default) | string -%}
        {%- set hits = [] -%}
        {%- for column in found if column.name == wanted -%}
            {%- do hits.append(column) -%}
        {%- endfor -%}
        {%- for column in found if not hits and column.name | lower == wanted | lower -%}
            {%- do hits.append(column) -%}
        {%- endfor -%}
        {%- if hits and key in ['loaded_at', 'registered'] and key not in given
            and not segql.column_kind(hits[0].type).startswith('timestamp') -%}
            {#- A column that only happens to be called that. -#}
        {%- elif hits -%}
            {%- do names.update({key: hits[0].name}) -%}
            {%- do types.update({key: hits[0].type}) -%}
        {%- elif key in given or (key, default) in defaults.required -%}
            {%- do exceptions.raise_compiler_error(
                name ~ ": no column '" ~ wanted ~ "' (mapped as " ~ key ~ ") in " ~ text
                ~ "; it has " ~ segql.nearest_names(wanted, found | map(attribute='name') | list)
            ) -%}
        {%- endif -%}
    {%- endfor -%}

    {{ return({
        'name': name,
        'text': text,
        'from': segql.file_scan(located, names, defaults.ids) if located.is_file
            else located.from,
        'names': names,
        'types': types,
        'columns': found,
        'options': given,
    }) }}
{%- endmacro %}

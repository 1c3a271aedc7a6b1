{#-
    The options of segql.audience and segql.audience_suppression, checked:
    holdout       the share of each segment that is not contacted, from 0 to below 1
    seed          another one draws another holdout
    features      a relation with the same id where the columns of strata and value are, if not in
                  segments
    strata        a column or a list of columns: the holdout has its share in each combination
    value         a number of which quantile groups within the segment are strata, too: by
                  default monetary where there is such a column; none switches it off
    value_groups  how many
    min_size      segments with fewer customers are not given
    min_treated   nor are those with fewer customers outside the holdout: 100 for ads platforms
    columns       some of the columns; others than those of segql.audience are refused
-#}
{% macro audience_options(macro, segments, segment, id, only, given) -%}
    {%- set columns = ['customer_id', 'segment_key', 'segment_name', 'is_holdout',
        'holdout_share', 'stratum', 'model_version', 'as_of_date'] -%}
    {%- set options = segql.macro_options(macro, {
        'holdout': 0.1, 'seed': 42, 'features': none, 'strata': none, 'value': 'auto',
        'value_groups': 10, 'min_size': 11, 'min_treated': 1, 'columns': none,
    }, given) -%}
    {%- if options.holdout is not number or options.holdout is boolean
        or not 0 <= options.holdout < 1 -%}
        {%- do exceptions.raise_compiler_error(
            macro ~ ": holdout got '" ~ options.holdout
            ~ "'; accepted is a number from 0 to below 1"
        ) -%}
    {%- endif -%}
    {%- set largest = 2147483647 -%}
    {%- do segql.number_option(macro, 'seed', options.seed, highest=largest) -%}
    {%- for name in ['value_groups', 'min_size', 'min_treated'] -%}
        {%- do segql.number_option(macro, name, options[name], lowest=1, highest=largest) -%}
    {%- endfor -%}
    {%- for name in ['strata', 'columns'] if options[name] is not none -%}
        {%- if options[name] is string -%}
            {%- do options.update({name: [options[name]]}) -%}
        {%- elif options[name] is mapping or options[name] is not iterable -%}
            {%- do exceptions.raise_compiler_error(
                macro ~ ': ' ~ name ~ " got '" ~ options[name] ~ "'; accepted is a list of columns"
            ) -%}
        {%- endif -%}
    {%- endfor -%}
    {%- for column in options.columns or [] -%}
        {%- do segql.choice_option(macro, 'columns', column, columns) -%}
    {%- endfor -%}
    {%- set wanted = {} -%}
    {%- for column in options.strata or [] -%}
        {%- do wanted.update({'strata' if loop.first else 'strata ' ~ loop.index: column}) -%}
    {%- endfor -%}
    {%- set described = segments if options.features is none else options.features -%}
    {%- if options.value == 'auto' -%}
        {%- set found = segql.relation_columns(described) | map(attribute='name')
            | map('lower') | select('equalto', 'monetary') | list -%}
        {%- do options.update({'value': found | first if found else none}) -%}
    {%- endif -%}
    {%- do segql.check_columns(macro, segments, {'segment': segment, 'id': id}) -%}
    {%- do wanted.update({'value': options.value, 'id': id}) -%}
    {%- do segql.check_columns(macro, described, wanted, {'value': 'number'}) -%}
    {%- set held = segql.relation_columns(segments) | map(attribute='name') | map('lower')
        | list -%}
    {%- set version = 'model_version' if 'model_version' in held
        else ('cuts_version' if 'cuts_version' in held else none) -%}
    {%- set name = 'segment_name' if 'segment_name' in held else none -%}
    {%- set only = [only] if only is string else only -%}
    {%- do segql.check_asked_segments(macro, segments, segment, only, name) -%}
    {%- set parts = 1000000000 -%}
    {%- do options.update({
        'only': only,
        'seed': options.seed | int,
        'strata': options.strata or [],
        'columns': (options.columns or columns) | unique | list,
        'name': name,
        'version': version,
        'date': 'as_of_date' if 'as_of_date' in held else none,
        'parts': parts,
        'held_parts': [[(options.holdout * parts) | round | int, 1] | max, parts - 1] | min
            if options.holdout > 0 else 0,
    }) -%}
    {{ return(options) }}
{%- endmacro %}

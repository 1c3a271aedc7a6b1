{#-
    Why this run fits: first run, full refresh, or what the refit policy found; none when it only
    scores. The policy is never (the default), or a mapping of max_age_days, min_age_days and drift;
    min_age_days 0 refits what was fitted on rows of a later date than these.
-#}
{% macro fit_reason(options, current, input_sql) -%}
    {%- set policy = segql.refit_policy(options['refit']) -%}
    {%- if current is none -%}
        {{ return('first run') }}
    {%- elif should_full_refresh() -%}
        {{ return('full refresh') }}
    {%- endif -%}
    {%- if policy.get('max_age_days') is not none -%}
        {%- set age = segql.model_age(current, input_sql) -%}
        {%- if age > policy['max_age_days'] -%}
            {{ return(
                'policy: ' ~ age ~ ' days old, max_age_days is ' ~ policy['max_age_days']
            ) }}
        {%- endif -%}
    {%- endif -%}
    {%- if policy.get('min_age_days') is not none -%}
        {%- set age = segql.model_age(current, input_sql) -%}
        {%- if age < policy['min_age_days'] -%}
            {{ return(
                'policy: ' ~ age ~ ' days old, min_age_days is ' ~ policy['min_age_days']
            ) }}
        {%- endif -%}
    {%- endif -%}
    {%- if policy.get('drift') is not none -%}
        {%- do segql.check_features(
            options['name'], current['model_version'], input_sql, options['id'],
            'segmentation ' ~ this.identifier
        ) -%}
        {%- set worst = run_query(
            segql.drift(options['name'], '(' ~ input_sql ~ ')', id=options['id'])
            ~ ' order by psi desc, name limit 1'
        ).rows[0] -%}
        {%- if worst['psi'] > policy['drift'] -%}
            {{ return(
                'policy: psi ' ~ '%.3f' % worst['psi'] ~ ' of ' ~ worst['name'] ~ ', drift is '
                ~ policy['drift']
            ) }}
        {%- endif -%}
    {%- endif -%}
    {{ return(none) }}
{%- endmacro %}

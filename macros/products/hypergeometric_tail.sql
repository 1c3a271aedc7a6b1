{#-
    The chance that at least `found` of `drawn` are marked, where `drawn` of `population` are drawn
    without looking and `marked` of them are marked (the upper tail of the hypergeometric
    distribution). All four are expressions of whole numbers. The terms are exponents of sums of
    log-gammas; they are added from `found` away from the mean, as far as they can matter: twelve
    deviations and forty.
-#}
{% macro hypergeometric_tail(found, population, marked, drawn) -%}
    {{ return(adapter.dispatch('hypergeometric_tail', 'segql')(found, population, marked, drawn)) }}
{%- endmacro %}

{% macro default__hypergeometric_tail(found, population, marked, drawn) -%}
    {%- set share = '(1e0 * ' ~ marked ~ ' / ' ~ population ~ ')' -%}
    {%- set reach -%}
        cast(40 + ceil(12 * sqrt({{ drawn }} * {{ share }} * (1 - {{ share }}))) as bigint)
    {%- endset -%}
    {%- set lowest = 'greatest(0, ' ~ drawn ~ ' + ' ~ marked ~ ' - ' ~ population ~ ')' -%}
    {%- set highest = 'least(' ~ drawn ~ ', ' ~ marked ~ ')' -%}
    {%- set lg = {} -%}
    {%- for name, number in {
        'marked': marked, 'unmarked': population ~ ' - ' ~ marked, 'drawn': drawn,
        'left': population ~ ' - ' ~ drawn, 'population': population, 'i': 'i',
        'marked_left': marked ~ ' - i', 'drawn_left': drawn ~ ' - i',
        'neither': population ~ ' - ' ~ marked ~ ' - ' ~ drawn ~ ' + i',
    }.items() -%}
        {%- do lg.update({name: segql.log_gamma(number ~ ' + 1')}) -%}
    {%- endfor -%}
    {%- set term -%}
        exp(
            {{ lg.marked }} + {{ lg.unmarked }}
            + {{ lg.drawn }} + {{ lg.left }}
            - {{ lg.population }}
            - {{ lg.i }} - {{ lg.marked_left }} - {{ lg.drawn_left }}
            - {{ lg.neither }}
        )
    {%- endset -%}
    case
        when {{ found }} >= {{ drawn }} * {{ share }}
            then least(1, {{ segql.sum_of_terms(
                'greatest(' ~ found ~ ', ' ~ lowest ~ ')',
                'least(' ~ highest ~ ', ' ~ found ~ ' + ' ~ reach ~ ')',
                term
            ) }})
        else greatest(0, 1 - {{ segql.sum_of_terms(
            'greatest(' ~ lowest ~ ', ' ~ found ~ ' - 1 - ' ~ reach ~ ')',
            'least(' ~ found ~ ' - 1, ' ~ highest ~ ')',
            term
        ) }})
    end
{%- endmacro %}

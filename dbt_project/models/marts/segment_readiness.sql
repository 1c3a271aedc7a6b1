with

readiness_guards as (

    select * from {{ ref('readiness_guards') }}

),

model_checks as (

    select * from {{ ref('model_checks') }}

),

checks as (

    select * from readiness_guards
    union all
    select * from model_checks

)

select
    kind,
    name,
    value,
    bound,
    is_met,
    reason
from checks
order by kind, name

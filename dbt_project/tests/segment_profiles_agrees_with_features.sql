-- The segments' means of each feature or level, weighted by their customers, are its overall mean.
with

profiles as (

    select
        feature,
        level,
        sum(customers * mean) / sum(customers) as weighted_mean,
        max(overall_mean) as overall_mean
    from {{ ref('segment_profiles') }}
    where mean is not null
    group by feature, level

)

select *
from profiles
where abs(weighted_mean - overall_mean) > 1e-6 * (1 + abs(overall_mean))

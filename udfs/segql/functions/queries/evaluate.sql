-- Figures of a segmentation on `scored_rows`: closed forms, so that no two rows are compared.
-- The mean squared distance of x to a segment is |x - mean|^2 + the segment's deviation.
-- The same rows give the same digits, whatever their order, hash or thread: sums over rows are of
-- whole multiples of a unit, a power of two near 2^-60 of the largest value; those over segments
-- are ordered.
-- Rows are scored once: the text of a wide model costs more to plan than its rows to keep.
with told as materialized (
    select
        segment_id,
        distance,
        _sq_point as point
    from scored_rows
    where segment_id is not null
),

members as (
    select
        segment_id,
        distance,
        point
    from told
    where segment_id > 0
),

noise as (
    select count(*) as size
    from told
    where segment_id = 0
),

reaches as (
    select
        segment_id,
        max(len(point)) as size,
        max(greatest(list_max(point), -list_min(point), 1e-150)) as reach,
        max(greatest(distance, 1e-150)) as furthest
    from members
    group by segment_id
),

-- No two points of a segment are further apart than twice its reach along every axis.
units as (
    select
        segment_id,
        2.0 ** (ceil(log2(reach)) - 60) as of_point,
        2.0 ** (ceil(log2(2 * sqrt(size) * reach)) - 60) as of_scatter,
        2.0 ** (ceil(log2(4 * size * reach * reach)) - 60) as of_deviation,
        2.0 ** (ceil(log2(furthest * furthest)) - 60) as of_square
    from reaches
),

coordinates as (
    select
        segment_id,
        unnest(point) as coordinate,
        generate_subscripts(point, 1) as axis
    from members
),

axis_means as (
    select
        coordinates.segment_id,
        coordinates.axis,
        sum(round(coordinates.coordinate / units.of_point)::bigint)
        * any_value(units.of_point) / count(*) as mean
    from coordinates
    inner join units on coordinates.segment_id = units.segment_id
    group by coordinates.segment_id, coordinates.axis
),

means as (
    select
        segment_id,
        list(mean order by axis) as mean
    from axis_means
    group by segment_id
),

scattered as (
    select
        members.segment_id,
        means.mean,
        count(*) as size,
        sum(round(members.distance * members.distance / units.of_square)::bigint)
        * any_value(units.of_square) as squares,
        sum(round(list_distance(members.point, means.mean) / units.of_scatter)::bigint)
        * any_value(units.of_scatter) / count(*) as scatter,
        sum(round(list_distance(members.point, means.mean) ** 2 / units.of_deviation)::bigint)
        * any_value(units.of_deviation) / count(*) as deviation
    from members
    inner join means on members.segment_id = means.segment_id
    inner join units on members.segment_id = units.segment_id
    group by members.segment_id, means.mean
),

every_segment as (
    select
        count(*) as k,
        list({'segment_id': segment_id, 'mean': mean, 'deviation': deviation} order by segment_id)
            as segments
    from scattered
),

compared as (
    select
        scattered.size,
        every_segment.k,
        (list_distance(members.point, scattered.mean) ** 2 + scattered.deviation)
        * scattered.size / greatest(scattered.size - 1, 1) as inside,
        list_min(list_transform(
            every_segment.segments,
            lambda _sq_one: case
                when _sq_one.segment_id <> members.segment_id
                    then list_distance(members.point, _sq_one.mean) ** 2 + _sq_one.deviation
            end
        )) as outside
    from members
    inner join scattered on members.segment_id = scattered.segment_id
    cross join every_segment
),

silhouettes as (
    select
        sum(case
            when size > 1 and k > 1 and greatest(inside, outside) > 0
                then round((outside - inside) / greatest(inside, outside) * 2.0 ** 60)::bigint
            else 0
        end) * 2.0 ** -60 / count(*) as silhouette
    from compared
),

totals as (
    select
        count(*) as k,
        coalesce(sum(size), 0)::bigint as size,
        coalesce(fsum(squares order by segment_id), 0.0) as inertia,
        coalesce(fsum(size * deviation order by segment_id), 0.0) as within
    from scattered
),

separated as (
    select
        one.segment_id,
        max(case
            when list_distance(one.mean, another.mean) > 0
                then (one.scatter + another.scatter) / list_distance(one.mean, another.mean)
            else 0.0
        end) as overlap
    from scattered as one
    inner join scattered as another on one.segment_id <> another.segment_id
    group by one.segment_id
),

axis_centers as (
    select
        axis_means.axis,
        fsum(axis_means.mean * scattered.size order by axis_means.segment_id)
        / fsum(scattered.size) as center
    from axis_means
    inner join scattered on axis_means.segment_id = scattered.segment_id
    group by axis_means.axis
),

spread as (
    select
        fsum(
            scattered.size * (axis_means.mean - axis_centers.center) ** 2
            order by axis_means.segment_id, axis_means.axis
        ) as between_segments
    from axis_means
    inner join axis_centers on axis_means.axis = axis_centers.axis
    inner join scattered on axis_means.segment_id = scattered.segment_id
)

select
    totals.size + noise.size as n,
    totals.inertia,
    coalesce(silhouettes.silhouette, 0.0) as silhouette,
    coalesce((select favg(overlap order by segment_id) from separated), 0.0) as davies_bouldin,
    case
        when totals.k > 1 and totals.within > 0 and totals.size > totals.k
            then (spread.between_segments / (totals.k - 1))
                / (totals.within / (totals.size - totals.k))
        else 1.0
    end as calinski_harabasz,
    totals.inertia / greatest(totals.size, 1) as mean_squared_distance,
    noise.size / greatest(totals.size + noise.size, 1) as noise_share
from totals
cross join noise
cross join silhouettes
cross join spread

"""Which quick tests look at which module: what a mutant of the module has to get past."""

from __future__ import annotations

from pathlib import Path

SOURCE = "udfs/segql"
#: Where mutants are drawn from.
MUTATED = ("steps/*.py", "clusterers/*.py", "metrics.py")

# Quickest first: the first test that fails ends a mutant.
_KMEANS = [
    "tests/unit/test_kmeans_parts.py",
    "tests/unit/test_kmeans_search.py",
    "tests/unit/test_kernel.py",
    "tests/unit/test_selection.py",
    "tests/contract/test_kmeans.py",
]
_POLISH = [
    "tests/unit/test_polish.py",
    "tests/unit/test_shortcuts.py",
    "tests/contract/test_kmeans.py",
]
_DENSITY = [
    "tests/unit/test_density_kernels.py",
    "tests/contract/test_density_options.py",
    "tests/contract/test_density.py",
]
_TREES = ["tests/unit/test_tree_kernel.py", "tests/contract/test_hierarchical.py"]
_RULES = ["tests/unit/test_rule_search.py", "tests/contract/test_rules.py"]
_STEPS = [
    "tests/unit/test_step_parts.py",
    "tests/unit/test_power_search.py",
    "tests/unit/test_recipe.py",
    "tests/contract/test_steps.py",
    "tests/contract/test_category_steps.py",
]
_METRICS = [
    "tests/unit/test_metrics_parts.py",
    "tests/contract/test_kmeans.py",
    "tests/contract/test_density.py",
]
#: Tests by the module's path under the source, its longest beginning that is here.
TESTS: dict[str, list[str]] = {
    "steps/": _STEPS,
    "clusterers/kmeans": _KMEANS,
    "clusterers/polish": _POLISH,
    "clusterers/dbscan": _DENSITY,
    "clusterers/hdbscan": _DENSITY,
    "clusterers/k_distance": _DENSITY,
    "clusterers/near_components": _DENSITY,
    "clusterers/linkage": _TREES,
    "clusterers/rules": _RULES,
    "metrics": _METRICS,
}
#: Tests that take several seconds and see nothing that the others do not.
SLOW = [
    "tests/contract/test_hierarchical.py::test_micro_clusters_give_the_groups_of_all_rows",
    "tests/contract/test_density.py::test_shuffled_rows_and_threads_change_nothing",
    "tests/contract/test_density.py::test_small_clusters_keep_a_ball",
]


def modules(root: Path) -> list[str]:
    """Modules to mutate, as paths from the root."""
    found = [path for pattern in MUTATED for path in (root / SOURCE).glob(pattern)]
    return sorted(path.relative_to(root).as_posix() for path in found)


def tests_of(module: str) -> list[str]:
    """Tests of a module, a path from the root."""
    inner = module.removeprefix(f"{SOURCE}/")
    beginnings = [item for item in TESTS if inner.startswith(item)]
    return TESTS[max(beginnings, key=len)]

"""A progress bar for fits that take long, on a terminal only."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm

#: Seconds before the bar appears: a short fit shows nothing.
DELAY = 1.0
PHASES = ("checking ids", "learning the recipe", "drawing the coreset", "clustering", "polishing",
          "measuring", "storing")  # fmt: skip


class Report(Protocol):
    """Called with the phase that begins."""

    def __call__(self, phase: str) -> None:
        """Show the phase."""


@contextmanager
def progress(title: str) -> Iterator[Report]:
    """Show the phases of a fit; silent when standard error is not a terminal."""
    with tqdm(
        total=len(PHASES),
        desc=title,
        delay=DELAY,
        disable=not sys.stderr.isatty(),
        leave=False,
        bar_format="{desc}: {bar} {n_fmt}/{total_fmt} {postfix} {elapsed}",
    ) as bar:

        def report(phase: str) -> None:
            bar.n = PHASES.index(phase)
            bar.set_postfix_str(phase)

        yield report

"""Models as SQL of other engines: facts per dialect, rewriting, functions, reading back."""

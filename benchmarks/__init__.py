"""One runnable script a claim: `python -m benchmarks.<name>` from the repository's root."""

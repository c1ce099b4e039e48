"""Limits from somebody's own healthy runs, and what may be claimed of them."""

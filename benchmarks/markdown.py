"""Numbers and tables as Markdown, the way `collapse-lab score` prints them."""

from collapse_lab.scoring.markdown import percent, plain, share, table_of

__all__ = ["percent", "plain", "share", "table_of"]

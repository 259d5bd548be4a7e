"""The interface ceiling: what the frozen reader can do with K vectors, whatever writes them."""

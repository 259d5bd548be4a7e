"""Arms: ways of giving the reasoner a document. `table.py` lists them."""

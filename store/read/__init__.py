"""Reading a store: random access by document, every chunk checked."""

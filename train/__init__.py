"""Stage 2: the compressor, trained from the store by phases that are data."""

"""Causal language models: their files, loading, layers, tokens and the mask of questions."""

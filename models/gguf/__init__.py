"""Models from GGUF files: read, checked, and written as a folder that transformers loads."""

"""The text teacher: an OpenAI-compatible server that writes summaries and answers."""

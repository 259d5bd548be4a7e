"""The vLLM teacher: its engine in this process, hidden states through a connector of our own."""

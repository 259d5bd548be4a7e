"""The vLLM teacher: vLLM's engine in this process, hidden states through a KV connector."""

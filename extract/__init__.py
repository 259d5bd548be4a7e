"""Stage 1: documents in, the teacher's hidden states out, into the store."""

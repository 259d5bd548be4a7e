"""Teachers: frozen models that turn token ids into hidden states, behind one protocol."""

"""The model that is trained: teacher states in, vectors in the reasoner's input space out."""

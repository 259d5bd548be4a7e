"""The frozen reasoner: it reads vectors in place of a document and answers questions."""

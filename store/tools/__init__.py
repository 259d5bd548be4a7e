"""Work on whole stores: verify, info, merge, export, recompute."""

"""Terms of the training loss, a file for each idea; `train/objectives.py` is their table."""

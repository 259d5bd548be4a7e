"""The experiment as data: phases, gates, ablations, trials in a run folder, and their judge."""

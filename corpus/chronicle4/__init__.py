"""Generator version 4: a world in which meaning, not spelling, carries the answers."""

"""What every folder may use: errors, atomic files, locks, provenance, the terminal."""

"""What only the repository needs: README tables and terminal records. Not in the wheel."""

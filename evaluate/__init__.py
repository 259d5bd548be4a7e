"""What survived: answers, controls, statistics, gates and the report."""

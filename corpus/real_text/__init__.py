"""Documents and questions from texts that packages bring: dated entries, split by their source."""

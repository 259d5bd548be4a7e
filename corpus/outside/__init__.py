"""Published question sets, read from files at hand and made documents of; none is shipped."""

"""Writing a store: whole shards, each durable before the ledger says so."""

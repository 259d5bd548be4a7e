"""The store on disk: schema, layout, codecs, ledger and seal (FORMAT.md)."""

"""The disk between the two stages: corpus files, the feature store, provenance."""

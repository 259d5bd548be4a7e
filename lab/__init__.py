"""The lab models: trained here from nothing but the chronicle generator, and shipped."""

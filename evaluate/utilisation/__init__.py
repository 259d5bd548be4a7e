"""CE utilisation: how much of what a document is worth, in nats, the reasoner gets from latents."""

"""`latentcomp doctor`: the assumptions that the experiment stands on, each with a verdict."""

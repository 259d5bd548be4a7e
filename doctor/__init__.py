"""`latentcomp doctor`: checks of the assumptions behind the experiment."""

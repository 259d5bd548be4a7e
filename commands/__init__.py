"""The commands of latentcomp, one file each: the only place where the stages meet."""

"""Diagnostics of a checkpoint: figures that explain an accuracy and decide nothing."""

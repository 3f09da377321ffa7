"""Training: from a resolved spec and arrays to a trained network. Keras is imported inside functions."""

"""Training: from a resolved spec and arrays to a trained network. Everything here may import Keras, inside functions."""

"""Analysis: numbers from stored predictions. Nothing here trains, and nothing reaches TensorFlow."""

"""Faces in pictures and video: detect, crop, predict, annotate, track."""

"""Pieces of protocols; every module here is imported by the registries of `study.protocols.piece`."""

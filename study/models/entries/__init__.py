"""One file an entry; every module here is imported by the registry."""

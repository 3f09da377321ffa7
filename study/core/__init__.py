"""The ground that every room stands on: errors, specs, records, the store, registries and files."""

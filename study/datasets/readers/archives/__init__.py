"""Archives: datasets inside zip and tar files, read with limits."""

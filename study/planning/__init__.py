"""What a command will run: grid files, plan, time budget, how many runs at a time."""

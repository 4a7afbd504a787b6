"""Training: losses, one step, the loop, checkpoints, and how a step is spread over devices."""

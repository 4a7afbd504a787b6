"""Training data: sources of images, draws, batches on the host or on the devices."""

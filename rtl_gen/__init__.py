"""Generator of the accelerator: configuration, number formats, command format and hardware."""

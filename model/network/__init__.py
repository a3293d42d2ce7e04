"""The shapes of networks: by name, by file, read off a timm model; what a configuration holds."""

"""Pictures: files, folders, their classes, and what they become for a network."""

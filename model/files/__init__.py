"""Files that users give, read with errors that name their place, and files that runs leave."""

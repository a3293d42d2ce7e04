"""What masks are made of: attention maps, learned scores, stand-ins; where masks come from."""

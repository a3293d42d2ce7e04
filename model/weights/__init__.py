"""Float weights of the supported networks: every format they come in, checked tensor by tensor."""

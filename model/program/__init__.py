"""The compiler: from integer networks to memory images."""

"""Static masks of attention (ViTCoD, HPCA 2023): strategies, polarisation, ViTCoD's file."""

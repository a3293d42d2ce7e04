"""Post-training quantisation: from float networks to integer ones."""

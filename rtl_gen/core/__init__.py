"""The cores: every unit of an image, wired, and the cluster that keeps several images in step."""

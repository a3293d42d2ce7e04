"""The float network, masked and pruned: what accuracy is compared with."""

"""The figures: what they show, as data frames and as pictures."""

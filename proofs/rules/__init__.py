"""What specifications demand of the signals of streams and buses, as modules that watch them.

A module has inputs alone. Its rules are written from the specification, not from the units: those
of one side are asserted, those of the other one assumed or left alone.
"""

"""The report: one self-contained HTML page of what the cycle model and the RTL say."""

"""The MAC array that serves linear layers, QK^T and PV."""

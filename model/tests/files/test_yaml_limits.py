"""As many values as a YAML file may hold are read, one more is refused."""

import pytest

from model.files.yaml_loader import MAX_DEPTH, MAX_VALUES, RefusedError, load


def test_as_many_values_as_there_may_be():
    """The list is a value, too."""
    most = f"[{', '.join(['1'] * (MAX_VALUES - 1))}]"
    assert load(most)[1] == [1] * (MAX_VALUES - 1)
    with pytest.raises(RefusedError, match=r"more than 20,000 values"):
        load(most.replace("[", "[1, "))


def test_as_many_lists_inside_one_another_as_there_may_be():
    found = load("[" * MAX_DEPTH + "]" * MAX_DEPTH)[1]
    for _ in range(MAX_DEPTH - 1):
        (found,) = found
    assert found == []
    with pytest.raises(RefusedError, match=r"more than 16 lists or mappings"):
        load("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1))

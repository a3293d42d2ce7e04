"""Schedule files: written and read back, taken by every command, and each way to break them."""

import json
from pathlib import Path

import pytest
import torch

from model.integer.forward import forward
from model.network.names import DEIT_SMALL, DEIT_TINY, VIT_DIGITS
from model.program.choices import chosen_picture, input_patches, integer_network
from model.pruning.hardware import prune_counts
from model.pruning.schedule import DEFAULT_SCHEDULE, READINGS, ListedSchedule
from model.pruning.schedule_file import (
    DEFAULT_NAME,
    NAMED,
    UNPRUNED,
    schedule_label,
    schedule_name,
    schedule_of,
    write_schedule,
)
from rtl_gen.errors import UserError

KEPT = [196, 190, 190, 170, 150, 120, 100, 80, 60, 40, 20, 0]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    schedule = ListedSchedule(kept=tuple(KEPT), placement="after_ffn")
    write_schedule(tmp_path / "mine.json", DEIT_TINY, schedule, {"seed": 3})
    return tmp_path / "mine.json"


def test_file_is_read_as_it_was_written(path: Path):
    expected = {"network": "deit_tiny", "kept": KEPT, "placement": "after_ffn"}
    assert json.loads(path.read_text()) == expected | {"provenance": {"seed": 3}}
    assert schedule_of(str(path), DEIT_TINY) == schedule_of(str(path), DEIT_SMALL)
    assert schedule_of(str(path), DEIT_TINY).kept_tokens(DEIT_TINY) == KEPT
    plain = path.with_name("plain")
    plain.write_text(json.dumps({"network": "deit_tiny", "kept": KEPT}))
    assert schedule_of(str(plain), DEIT_TINY) == ListedSchedule(kept=tuple(KEPT))


def test_names():
    assert schedule_of("none", DEIT_TINY).kept_tokens(DEIT_TINY) == [196] * 12
    for name, schedule in READINGS.items():
        assert schedule_of(name, DEIT_TINY) == schedule
    assert schedule_of(DEFAULT_NAME, VIT_DIGITS) == DEFAULT_SCHEDULE.fitted(VIT_DIGITS)
    assert set(NAMED) - set(READINGS) == {"none", "searched"}
    default, searched = (schedule_of(name, DEIT_TINY) for name in (DEFAULT_NAME, "searched"))
    assert searched.kept_tokens(DEIT_TINY) == [*default.kept_tokens(DEIT_TINY)[:-1], 0]
    with pytest.raises(UserError, match="searched: the schedule lists 12 layers: vit_digits has"):
        schedule_of("searched", VIT_DIGITS)


def test_choice_of_a_command():
    assert schedule_name(None, prune=True) == DEFAULT_NAME
    assert schedule_name(None, prune=False) == UNPRUNED
    assert schedule_name("a.json", prune=True) == "a.json"
    assert schedule_name(UNPRUNED, prune=False) == UNPRUNED
    with pytest.raises(UserError, match="prunes: leave out either"):
        schedule_name("a.json", prune=False)
    names = [DEFAULT_NAME, UNPRUNED, "build/my schedule.json"]
    assert [schedule_label(name) for name in names] == ["1", "0", "my schedule"]


def test_layers_that_drop_nothing_select_nothing():
    """A selection costs cycles even if all tokens stay."""
    assert prune_counts(DEIT_TINY, schedule_of("none", DEIT_TINY)) == [None] * 12
    kept = (196, 190, 190, *(50,) * 8, 0)
    expected = [None, 191, None, 51, *[None] * 7, 1]
    assert prune_counts(DEIT_TINY, ListedSchedule(kept=kept)) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"kept": KEPT[1:]}, "schedule file x.json: the schedule lists 11 layers"),
        ({"kept": [197, *KEPT[1:]]}, "keeps 197 patch tokens"),
        ({"kept": KEPT[::-1]}, "kept tokens grow from 0 to 20 in layer 1"),
        ({"kept": [*KEPT[:-1], -1]}, "kept tokens -1"),
        ({"kept": KEPT, "placement": "never"}, "placement = 'never'"),
        (
            {"kept": [*KEPT[:-1], 0.5]},
            "x.json, line 1: kept.11: input should be a valid integer, found 0.5",
        ),
        ({}, "x.json, line 1: kept: field required"),
        ({"kept": KEPT, "keep": 3}, "x.json, line 1: unknown key 'keep': did you mean 'kept'?"),
        ([], "x.json, line 1: found []: expected keys out of network, kept"),
        ("text", "x.json, line 1: found 'text': expected keys out of network"),
        (
            '{\n"network": "a",\n"kept": [1],\n"kept": [2]}',
            "line 4: key 'kept' stands twice: keep one",
        ),
        (
            '{"network": "a",\n"kept": [5,\n6]}',
            "x.json, line 2: kept: kept tokens grow from 5 to 6",
        ),
        ('{"network": "a", "kept":\n' + "[" * 3000, "x.json, line 2: more than 16 lists"),
        ('{"network": "a", "kept": [1,', "x.json, line 1: "),
        ('{"network": "a", "kept": [1], "provenance": "\0"}', "x.json, line 1: special char"),
        ("[" + "1," * 600_000 + "1]", "cannot read x.json (not within 1,048,576 bytes)"),
    ],
)
def test_broken_file_is_one_line(content, message, tmp_path, monkeypatch, command, capsys):
    monkeypatch.chdir(tmp_path)
    if isinstance(content, dict):
        content = {"network": "deit_tiny", **content}
    text = content if isinstance(content, str) else json.dumps(content)
    Path("x.json").write_text(text)
    assert command("schedule", "--schedule", "x.json") == 2
    printed = capsys.readouterr().err
    assert printed.startswith("error: ")
    assert message in printed
    assert printed.count("\n") == 1


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_and_tabs(tmp_path: Path, encoding: str):
    path = tmp_path / "mine.json"
    content = {"network": "deit_tiny", "kept": KEPT, "provenance": {"who": "a/b \u00e9"}}
    path.write_text(json.dumps(content, indent="\t"), encoding=encoding)
    assert schedule_of(str(path), DEIT_TINY) == ListedSchedule(kept=tuple(KEPT))


def test_missing_files(tmp_path, command, capsys):
    for name, message in (
        (tmp_path / "no.json", "no schedule file "),
        (tmp_path / "no", "unknown schedule "),
        ("orignal", "unknown schedule 'orignal': expected one of none, original-after-attention"),
    ):
        assert command("schedule", "--schedule", name) == 2
        assert capsys.readouterr().err.startswith(f"error: {message}")


def test_commands_take_a_file(path, tmp_path, image_folder, command, capsys):
    """A file whose schedule the hardware does not have is refused as a reading is."""
    assert command("schedule", "--schedule", path) == 0
    last = capsys.readouterr().out.splitlines()[-2]
    assert [word for word in last.split() if word.isdigit()] == ["11", "21", "21", "1"]
    out, data = ("--out", tmp_path / "out"), ("--data", image_folder)
    for words in (("image", *out), ("accuracy", *data, *out)):
        assert command(*words, "--schedule", path) == 2
        assert "the hardware prunes after_attention" in capsys.readouterr().err
    missing = ("--schedule", tmp_path / "no.json")
    for words in (
        ("accuracy", *data, *out),
        ("quantise", *data, *out),
        ("finetune", *data, *out),
        ("image", *out),
        ("prune", *data, *out),
        ("learn-scores", *data, *out),
    ):
        assert command(*words, *missing) == 2, words
        assert capsys.readouterr().err.startswith("error: no schedule file ")
    assert command("image", *out, "--schedule", DEFAULT_NAME, "--no-prune") == 2
    assert "leave out either" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_image_of_a_schedule(tmp_path, command, capsys):
    """The digits' network with another schedule than the default one: other commands."""
    path = tmp_path / "few.json"
    schedule = ListedSchedule(kept=(49, 20, 20, 0))
    write_schedule(path, VIT_DIGITS, schedule, {})
    words = ("image", "--model", "vit_digits", "--out", tmp_path)
    assert command(*words) == 0
    assert command(*words, "--schedule", path) == 0
    assert command(*words, "--no-prune") == 0
    printed = capsys.readouterr().out.splitlines()
    counts = [int(line.split(" commands")[0].split()[-1]) for line in printed]
    # One command for each layer that drops tokens: 3 by default, 2 by the file.
    assert [count - counts[2] for count in counts] == [3, 2, 0]
    assert [Path(line.split(":")[0]).stem for line in printed] == [
        "vit_digits-0.8-1",
        "vit_digits-0.8-few",
        "vit_digits-0.8-0",
    ]


def test_tokens_of_the_last_layer_change_no_logit():
    """In integers, to the bit; the layer before it does change them."""
    integers = integer_network(VIT_DIGITS, None, 0)
    patches = input_patches(integers, chosen_picture(VIT_DIGITS, "digits:3"), 0)
    logits = [
        forward(integers, patches, None, prune_counts(VIT_DIGITS, ListedSchedule(kept=kept)))
        for kept in ((49, 45, 35, 6), (49, 45, 35, 0), (49, 45, 6, 0))
    ]
    assert torch.equal(logits[0], logits[1])
    assert not torch.equal(logits[0], logits[2])

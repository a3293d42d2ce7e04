"""Fields of commands in any configuration: what is legal fits, what does not fit is refused."""

import dataclasses

import pytest
from amaranth.hdl import signed
from amaranth.lib import data
from hypothesis import given, settings
from hypothesis import strategies as st

from rtl_gen.config import MAX_DIM, AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.errors import UserError
from rtl_gen.interfaces.packing import pack, unpack
from rtl_gen.interfaces.program import (
    HEADER,
    Destination,
    Source,
    command_layout,
    pack_record,
    record_rows,
)
from rtl_gen.interfaces.targets import Target, transfers
from rtl_gen.presets import DEFAULT, PRESETS, get_config

SCALE = {"multiplier": (1 << 16) - 1, "shift": 63}


@st.composite
def configs(draw) -> AcceleratorConfig:
    """Any configuration, the limits of every choice included."""
    lanes, width = draw(
        st.sampled_from([(n, w) for n in (2, 4, 8, 16) for w in (8, 16, 32, 64, 128) if 2 * n <= w])
    )
    tokens = draw(st.integers(2 * lanes, 1024))
    return AcceleratorConfig(
        lanes=lanes,
        width=width,
        max_tokens=tokens,
        max_heads=draw(st.integers(1, 64 if tokens < 1024 else 63)),
        max_dim=width * draw(st.integers(1, MAX_DIM // width)),
        bus_bytes=draw(st.sampled_from([1 << n for n in range(8) if lanes <= 1 << n <= width])),
        row_slots=draw(st.sampled_from([2, 4, 8, 16, 32])),
        stream_beats=draw(st.sampled_from([16, 128, 1024])),
        frequency_mhz=draw(st.integers(1, 5000)),
    )


def largest(config: AcceleratorConfig) -> dict[str, int]:
    """The largest legal value of every number, from the sizes of the memories.

    A hidden row a token and slice; a group of outputs is `lanes` of at most 4 * max_dim channels;
    a mask row is a power of two of bytes, and takes more than a token's hidden rows if many tokens
    have few channels.
    """
    hidden_rows = 4 * config.max_dim // config.width
    mask_bytes = 1
    while 8 * mask_bytes < config.max_tokens:
        mask_bytes *= 2
    mask_rows = config.max_tokens * mask_bytes // config.width
    targets = [config.max_tokens * hidden_rows, mask_rows, 256 // config.width]
    return {
        "count": max(targets),
        "first": max(targets) - 1,
        "address": (1 << 32) - config.width,
        "pitch": hidden_rows,
        "slices": hidden_rows,
        "tiles": 4 * config.max_dim // config.lanes,
        "dim": config.max_dim,
        "prefix": config.max_tokens,
    }


@given(configs())
def test_largest_fields_survive(config):
    layout = command_layout(config)
    fields = largest(config) | {
        "opcode": max(Opcode),
        "target": max(Target),
        "barrier": 1,
        "accumulate": 0,
        "only_cls": 1,
        "plain": 1,
        "input": 1,
        "source": max(Source),
        "destination": max(Destination),
        "scale_a": SCALE,
        "scale_b": SCALE,
    }
    assert max(allowed.rows for allowed in transfers(config).values()) == fields["count"]
    record = pack_record(config, layout, fields)
    bits = int.from_bytes(record, "little")
    assert unpack(layout, bits) == fields | {"reserved": 0}
    decoded = layout.from_bits(bits & ((1 << layout.size) - 1))
    for name in largest(config):
        assert decoded[name] == fields[name]
    assert len(record) == record_rows(config) * config.width == max(32, config.width)


@given(configs(), st.data())
def test_what_does_not_fit_is_refused(config, data):
    name = data.draw(st.sampled_from(sorted(largest(config))))
    width = command_layout(config)[name].width
    value = data.draw(st.sampled_from([1 << width, 1 << 40, -1]))
    with pytest.raises(UserError, match=f"command.{name} = {value}: its field holds 0 to"):
        pack_record(config, command_layout(config), {"opcode": 0, name: value})


def test_header_and_scales_are_refused_alike():
    with pytest.raises(UserError, match=r"header\.rows = 4294967296"):
        pack_record(DEFAULT, HEADER, {"rows": 1 << 32})
    fields = {"scale_a": {"multiplier": 1, "shift": 64}}
    with pytest.raises(UserError, match=r"command\.scale_a\.shift = 64"):
        pack_record(DEFAULT, command_layout(DEFAULT), fields)


@pytest.mark.parametrize(("preset", "rows"), [("tiny", 4), ("small", 2), ("default", 1)])
def test_records_take_as_many_rows_as_ever(preset, rows):
    assert record_rows(PRESETS[preset]) == rows


@pytest.mark.parametrize(
    ("choices", "message"),
    [
        ({"max_dim": 2 * MAX_DIM}, "max_dim = 8192: expected a multiple of width = 64, at most"),
        ({"max_tokens": 1024, "max_heads": 64}, "importance of a token exceeds 32 bits"),
    ],
)
def test_what_no_format_holds_is_refused(choices, message):
    with pytest.raises(UserError, match=message):
        get_config("default", **choices)


def test_digest_is_of_what_programs_depend_on():
    free = {"frequency_mhz": 75, "bus_bytes": 32, "row_slots": 8, "stream_beats": 64}
    free |= {"address_bits": 40, "secure": 1, "parity": 1}
    bound = {"lanes": 2, "width": 32, "max_tokens": 197, "max_heads": 6, "max_dim": 384, "cores": 2}
    assert {*free, *bound} == {field.name for field in dataclasses.fields(AcceleratorConfig)}
    base = get_config("default", bus_bytes=16)
    for name, value in free.items():
        assert dataclasses.replace(base, **{name: value}).digest() == base.digest(), name
    for name, value in bound.items():
        assert dataclasses.replace(base, **{name: value}).digest() != base.digest(), name


@settings(max_examples=20)
@given(configs())
def test_only_one_digest_for_one_format(config):
    """A choice that the digest leaves out changes no field of a command."""
    for other in (
        dataclasses.replace(config, frequency_mhz=config.frequency_mhz + 1),
        dataclasses.replace(config, row_slots=2, stream_beats=16, bus_bytes=config.width),
        dataclasses.replace(config, address_bits=40),
    ):
        assert other.digest() == config.digest()
        assert command_layout(other) == command_layout(config)
        assert transfers(other) == transfers(config)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        ([1, 128, 3], "row.1 = 128: its field holds -128 to 127"),
        (bytes([1, 200]), "row.1 = 200: its field holds -128 to 127"),
        ((1, -129), "row.1 = -129: its field holds -128 to 127"),
    ],
)
def test_bytes_that_do_not_fit(item, message):
    with pytest.raises(UserError, match=message):
        pack(data.ArrayLayout(signed(8), 3), item, "row")


@pytest.mark.parametrize("item", [[0] * 4, (0,) * 4, {3: 0}])
def test_more_bytes_than_an_array_has(item):
    with pytest.raises(KeyError):
        pack(data.ArrayLayout(signed(8), 3), item)


def test_bytes_of_an_array():
    """Missing ones are 0."""
    layout = data.ArrayLayout(signed(8), 3)
    for item in ([-1, 2], (-1, 2), {0: -1, 1: 2}):
        assert pack(layout, item) == 0x02FF
    assert unpack(layout, 0x02FF) == [-1, 2, 0]

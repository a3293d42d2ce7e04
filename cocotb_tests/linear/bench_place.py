"""Bench of `Placement`. Parameters: configuration, seed.

Any step may come in any cycle, its results Accumulators.latency + Epilogue.LATENCY behind it.
"""

import cocotb

from cocotb_tests.harness.compare import assert_equal
from cocotb_tests.harness.unit_bench import UnitBench
from rtl_gen.interfaces.memories import words
from rtl_gen.interfaces.program import Destination
from rtl_gen.linear.accumulate import Accumulators
from rtl_gen.linear.epilogue import Epilogue
from rtl_gen.linear.place import Placement


class PlacementBench(UnitBench):
    UNIT = Placement

    def written(self, to: Destination, step: dict, results: dict) -> tuple[str, int, dict]:
        """(memory, address, bytes by their place in the word) of a group."""
        config, tile = self.config, step["tile"]
        item = 1 if to in (Destination.QKV, Destination.HIDDEN) else 2
        name = to.name.lower()
        values = [v & (1 << 8 * item) - 1 for v in results[name]]
        data = b"".join(value.to_bytes(item, "little") for value in values)
        first = tile * config.lanes * item
        row, place = divmod(first, config.width)
        memory, address = {
            Destination.HIDDEN: ("hidden", step["row"] + row),
            Destination.LOGITS: ("hidden", step["row"] + row),
            Destination.RESIDUAL: ("residual", step["row"] + row),
            Destination.QKV: ("query", step["token"]),
        }[to]
        if to == Destination.QKV and row:
            word, bank = divmod(step["token"], config.lanes)
            memory, address = "kv", (2 * word + (row == 2)) * config.lanes + bank
        return memory, address, {place + i: byte for i, byte in enumerate(data)}

    def seen(self) -> list[tuple[str, int, dict]]:
        """What the write ports say in this cycle."""
        found = []
        for name in self.unit.writes.signature.members:
            port = f"writes__{name}"
            enable, chunks = int(self.dut[f"{port}__chunks"].value), self.config.chunks
            if self.get(f"{port}__enable"):
                size = self.config.width // chunks
                data = int(self.dut[f"{port}__data"].value).to_bytes(self.config.width, "little")
                items = {i: b for i, b in enumerate(data) if enable >> i // size & 1}
                found.append((name, self.get(f"{port}__address"), items))
        return found


@cocotb.test()
async def puts_groups_in_their_place(dut):
    """Every destination: places of random steps, with gaps."""
    bench = await PlacementBench.on(dut)
    rng, config = bench.rng, bench.config
    latency = Accumulators.latency(config) + Epilogue.LATENCY
    places = bench.record("places__valid", "places__payload")
    for to in Destination:
        bench.set(layer={"active": 1, "destination": to})
        most = 3 * config.chunks if to == Destination.QKV else 2 * config.chunks
        steps, actual, expected, updates, wanted_places = [], [], [], [], {}
        for cycle in range(200 + latency):
            valid = cycle < 200 and rng.random() < 0.7
            step = {
                "tile": rng.randrange(most),
                "token": rng.randrange(config.max_tokens),
                "row": rng.randrange(words(config, "residual") - 4),
            }
            result = {
                name: [
                    rng.randint(-(1 << bits - 1), (1 << bits - 1) - 1) for _ in range(config.lanes)
                ]
                for name, bits in {"qkv": 8, "hidden": 8, "logits": 16, "residual": 16}.items()
            }
            steps.append((valid, step))
            due = steps[cycle - latency] if cycle >= latency else (False, step)
            bench.set(steps={"valid": valid, "payload": step})
            bench.set(results={"valid": due[0], "payload": result})
            await bench.edge
            if valid:
                at = bench.cycle + Accumulators.latency(config) + Epilogue.PLACE_CYCLES
                wanted_places[at] = step | {"row": bench.written(to, step, result)[1]}
            actual.append(bench.seen())
            expected.append([bench.written(to, due[1], result)] if due[0] else [])
            update = bench.get("updates__payload") if bench.get("updates__valid") else None
            if due[0] and to == Destination.RESIDUAL:
                updates.append((update["token"], update["first"], update["values"]))
                wanted = (due[1]["token"], due[1]["tile"] == 0, result["residual"])
                assert updates[-1] == wanted, f"update {updates[-1]}, expected {wanted}"
            else:
                assert update is None, f"an update of {to.name}"
        for cycle, (one, other) in enumerate(zip(actual, expected, strict=True)):
            assert one == other, f"{to.name}, cycle {cycle}: {one}, expected {other}"
        assert_equal("writes", sum(map(len, actual)), sum(valid for valid, _ in steps))
        if to == Destination.RESIDUAL:
            assert wanted_places.items() <= dict(places).items()
        else:
            assert not places, f"a place of {to.name}"

"""Any set of live tokens, for benches of units beside a live-token list."""

from collections.abc import Collection

from cocotb_tests.harness.unit_bench import UnitBench


def keep_words(live: Collection[int], words: int, lanes: int) -> list[dict[str, int]]:
    """The words that make exactly `live` live (rtl_gen/pruning/keep_word.py), `words` of them."""
    return [
        {
            "word": word,
            "bits": sum(1 << lane for lane in range(lanes) if word * lanes + lane in live),
            "last": word == words - 1,
        }
        for word in range(words)
    ]


async def make_live(bench: UnitBench, live: Collection[int]) -> None:
    """By the ports `fill`, `keep` and `done` of LiveTokens."""
    fill, keep = bench.source("fill"), bench.source("keep")
    fill.put([bench.config.max_tokens])
    await bench.until("done")
    lanes = bench.config.lanes
    keep.put(keep_words(live, max(live) // lanes + 1, lanes))
    await bench.until("done")

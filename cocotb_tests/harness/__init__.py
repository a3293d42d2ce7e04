"""Build an Amaranth component, run a cocotb bench on it, on either simulator.

A pytest function asks for a simulation; `simulator` is a fixture that runs it once per simulator:

    # cocotb_tests/pruning/test_topk.py
    from cocotb_tests.harness.units import run_unit

    def test_topk(simulator):
        run_unit(simulator, TopK(config), config, seed=5)

The bench runs inside the simulator and drives the component's ports:

    # cocotb_tests/pruning/bench_topk.py
    import cocotb
    from cocotb_tests.harness.bench import report
    from cocotb_tests.harness.compare import assert_equal
    from cocotb_tests.harness.unit_bench import UnitBench

    class TopKBench(UnitBench):
        UNIT = TopK

    @cocotb.test()
    async def keeps_the_best(dut):
        bench = await TopKBench.on(dut)
        scores, kept = bench.source("scores", bench.pauses(0.3)), bench.sink("kept")
        scores.put([5, 1, 7])
        assert_equal("kept", await kept.receive(2), [0, 2])
        report(cycles=bench.cycle)    # in the `values` of what `simulate` returns

Runs, logs and builds are under `build/sim/`; `WAVES=1` also writes a waveform. An RTL assertion
(`m.d.sync += Assert(...)`) fails the run on both simulators. Memories start with random contents.
"""

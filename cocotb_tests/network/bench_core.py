import cocotb, numpy as np
from amaranth.hdl import unsigned
from cocotb.triggers import FallingEdge, RisingEdge
from cocotb_tests.harness.bench import parameters, report, start
from cocotb_tests.harness.streams import StreamSink, StreamSource, random_pauses
from rtl_gen.core import Core
@cocotb.test()
async def program_runs(dut):
    g=parameters(); W=g["width"]
    image=np.load(g["image"])
    mem=np.zeros(g["memory_bytes"],np.uint8); mem[:len(image)]=image
    rows=[int.from_bytes(image[i:i+W].tobytes(),"little") for i in range(0,len(image),W)]
    await start(dut)
    src=StreamSource(dut,"rows",unsigned(8*W), random_pauses(g["stalls"],1) if g["stalls"] else None)
    await FallingEdge(dut.clk)
    dut.fetch__ready.value=1; dut.memory_idle.value=1
    dut.start.value=1
    await FallingEdge(dut.clk); dut.start.value=0
    src.put(rows)
    dut.stored__ready.value=1
    counts={n:0 for n in Core.EVENTS}; names=list(Core.EVENTS)
    for i in range(3000000):
        await RisingEdge(dut.clk)
        if int(dut.done.value): break
        e=int(dut.events.value)
        for k,n in enumerate(names):
            if e>>k&1: counts[n]+=1
        if int(dut.stored__valid.value):
            p=int(dut.stored__payload.value); a=p&0xffffffff
            mem[a:a+W]=np.frombuffer((p>>32).to_bytes(W,"little"),np.uint8)
    report(error=int(dut.error.value), counts=counts, done=int(dut.done.value), cycles=i)
    np.save(g["memory"],mem)

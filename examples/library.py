"""From a timm model and pictures to cycles, integers, Verilog, and a picture through the hardware.

sparse-vit digits --out digits
python library.py digits/calibration digits/held-back/7/0003.png
"""

import sys

import sparse_vit as sv

pictures, picture = sys.argv[1:]

model = sv.load("vit_digits")  # or timm.create_model("deit_tiny_patch16_224", pretrained=True)

# Which attention entries are worth computing, and which tokens each layer keeps.
maps = sv.average_attention(model, pictures)
masks = sv.vitcod(maps, sparsity=0.8)
schedule = sv.Schedule.paper()

# What that costs on an accelerator, beside the dense network.
report = sv.simulate(model, masks, schedule, maps=maps, preset="small")
print(report)
print(report.cycles_by_operation, report.energy)
report.plot().savefig("cycles.png")

# The network in the accelerator's integers.
integer = sv.quantise(model, pictures).pruned(masks, schedule)
print("class", integer.predict(picture)[0])

# The hardware, and a picture through it.
sv.build_rtl("small", "rtl")
run = sv.run_rtl(integer, picture, simulator="verilator")
print(f"{run.mismatches} of {run.compared} logits differ, {run.cycles:,} cycles in RTL")

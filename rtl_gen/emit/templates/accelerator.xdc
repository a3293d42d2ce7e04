# Vivado, for synthesis out of context: clock of @{frequency_mhz} MHz. All ports belong to it.
create_clock -name clk -period @{period_ns} [get_ports clk]
set_input_delay -clock clk @{outside_ns} [get_ports {@{inputs}}]
set_output_delay -clock clk @{outside_ns} [all_outputs]

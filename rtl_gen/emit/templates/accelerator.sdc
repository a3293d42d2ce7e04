# Clock of @{frequency_mhz} MHz; a third of the period for what lies outside at either end.
create_clock -name clk -period @{period_ns} [get_ports clk]
set_input_delay -clock clk @{outside_ns} [get_ports {@{inputs}}]
set_output_delay -clock clk @{outside_ns} [all_outputs]

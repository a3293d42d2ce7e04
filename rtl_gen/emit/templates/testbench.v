// Runs one small network and compares its logits with those of the golden model: prints PASS, or
// FAIL and stops. Works on any Verilog-2005 simulator; program.hex and expected.hex lie in the
// folder that it runs in.
module testbench;
  localparam BEAT_BYTES = @{bus_bytes};
  localparam PROGRAM_BEATS = @{program_beats};
  localparam BEATS = @{memory_beats};
  localparam LOGITS = @{logits};
  localparam LOGIT_BYTES = @{logit_bytes};
  localparam LIMIT_CYCLES = @{limit_cycles};
  localparam RESET_CYCLES = @{reset_cycles};

  reg clk = 1'b0;
  reg rst = 1'b1;
  always #5 clk = !clk;

@{declarations}

  accelerator dut (
@{connections}
  );

  axi_memory #(
    .ADDRESS_BITS(@{address_bits}),
    .BEAT_BYTES(BEAT_BYTES),
    .BEATS(BEATS),
    .IMAGE_BEATS(PROGRAM_BEATS)
  ) memory (
@{memory_connections}
  );

  // The host: registers over AXI4-Lite. It looks and acts at falling edges.
  task write_register(input [@{register_address_high}:0] address, input [31:0] value);
    begin
      s_axil_awaddr = address;
      s_axil_wdata = value;
      s_axil_awvalid = 1'b1;
      s_axil_wvalid = 1'b1;
      s_axil_bready = 1'b1;
      while (!s_axil_awready || !s_axil_wready) @(negedge clk);
      @(negedge clk);
      s_axil_awvalid = 1'b0;
      s_axil_wvalid = 1'b0;
      while (!s_axil_bvalid) @(negedge clk);
      if (s_axil_bresp != 2'b00) fail("a register refuses a write");
      @(negedge clk);
      s_axil_bready = 1'b0;
    end
  endtask

  reg [31:0] word;
  task read_register(input [@{register_address_high}:0] address);
    begin
      s_axil_araddr = address;
      s_axil_arvalid = 1'b1;
      s_axil_rready = 1'b1;
      while (!s_axil_arready) @(negedge clk);
      @(negedge clk);
      s_axil_arvalid = 1'b0;
      while (!s_axil_rvalid) @(negedge clk);
      if (s_axil_rresp != 2'b00) fail("a register refuses a read");
      word = s_axil_rdata;
      @(negedge clk);
      s_axil_rready = 1'b0;
    end
  endtask

  task fail(input [8*40-1:0] why);
    begin
      $display("FAIL: %0s", why);
      $stop;
    end
  endtask

  // Address and value of each logit.
  reg [8*LOGIT_BYTES+31:0] expected [0:LOGITS-1];
  reg [8*LOGIT_BYTES-1:0] wanted;
  reg [8*BEAT_BYTES-1:0] beat;
  reg [8*LOGIT_BYTES-1:0] found;
  integer i, place, wrong;

  initial begin
    $readmemh("expected.hex", expected);
    s_axil_awvalid = 1'b0;
    s_axil_wvalid = 1'b0;
    s_axil_bready = 1'b0;
    s_axil_arvalid = 1'b0;
    s_axil_rready = 1'b0;
    s_axil_awaddr = 0;
    s_axil_araddr = 0;
    s_axil_wdata = 0;
    repeat (RESET_CYCLES) @(posedge clk);
    @(negedge clk);
    rst = 1'b0;

    read_register(@{id_offset});
    if (word != 32'h@{id}) fail("the id register reads otherwise");
    write_register(@{program_address_offset}, 32'd0);
    write_register(@{interrupt_enable_offset}, 32'd1);
    write_register(@{control_offset}, 32'd@{start});
    i = 0;
    while (!irq && i < LIMIT_CYCLES) begin
      @(negedge clk);
      i = i + 1;
    end
    if (!irq) fail("no interrupt");
    read_register(@{error_offset});
    if (word != 0) begin
      $display("FAIL: the program stopped with error %0d", word);
      $stop;
    end
    wrong = 0;
    for (i = 0; i < LOGITS; i = i + 1) begin
      {place, wanted} = expected[i];
      beat = memory.words[place / BEAT_BYTES];
      found = beat[8 * (place % BEAT_BYTES) +: 8 * LOGIT_BYTES];
      $display("logit %0d: %0d, expected %0d", i, $signed(found), $signed(wanted));
      if (found !== wanted) wrong = wrong + 1;
    end
    if (wrong != 0) fail("logits differ");
    write_register(@{control_offset}, 32'd@{clear});
    if (irq) fail("the interrupt stays");
    read_register(@{cycles_offset});
    $display("PASS: %0d logits, %0d cycles", LOGITS, word);
    $finish;
  end
endmodule

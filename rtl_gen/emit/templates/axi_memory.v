// Behavioural AXI4 memory for the testbench: bursts of whole beats, one at a time in each direction.
// A read's first beat comes LATENCY cycles after its address, a write's response LATENCY cycles
// after its last beat. Stops the simulation where a burst is not INCR or leaves the memory.
module axi_memory #(
  parameter ADDRESS_BITS = 32,
  parameter BEAT_BYTES = 4,
  parameter BEATS = 1024,
  parameter LATENCY = 16,
  parameter IMAGE = "program.hex",
  parameter IMAGE_BEATS = 1024
) (
  input clk,
  input rst,
  input [ADDRESS_BITS-1:0] araddr,
  input [7:0] arlen,
  input [1:0] arburst,
  input arvalid,
  output arready,
  output rid,
  output reg [8*BEAT_BYTES-1:0] rdata,
  output [1:0] rresp,
  output reg rlast,
  output reg rvalid,
  input rready,
  input [ADDRESS_BITS-1:0] awaddr,
  input [7:0] awlen,
  input [1:0] awburst,
  input awvalid,
  output awready,
  input [8*BEAT_BYTES-1:0] wdata,
  input [BEAT_BYTES-1:0] wstrb,
  input wlast,
  input wvalid,
  output wready,
  output bid,
  output [1:0] bresp,
  output reg bvalid,
  input bready
);
  reg [8*BEAT_BYTES-1:0] words [0:BEATS-1];
  initial $readmemh(IMAGE, words, 0, IMAGE_BEATS - 1);

  assign rid = 1'b0;
  assign bid = 1'b0;
  assign rresp = 2'b00;
  assign bresp = 2'b00;

  reg reading, writing, answering;
  reg [31:0] read_place, write_place, read_wait, write_wait;
  reg [7:0] read_left, write_left;
  integer lane;

  assign arready = !reading;
  assign awready = !writing && !answering;
  assign wready = writing;

  always @(posedge clk) begin
    if (rst) begin
      reading <= 1'b0;
      rvalid <= 1'b0;
    end else begin
      if (arvalid && arready) begin
        check(arburst, araddr, arlen);
        reading <= 1'b1;
        read_place <= araddr / BEAT_BYTES;
        read_left <= arlen;
        read_wait <= LATENCY;
      end
      if (rvalid && rready) rvalid <= 1'b0;
      if (reading && read_wait > 1) read_wait <= read_wait - 1;
      else if (reading && (!rvalid || rready)) begin
        rvalid <= 1'b1;
        rdata <= words[read_place];
        rlast <= read_left == 0;
        reading <= read_left != 0;
        read_place <= read_place + 1;
        read_left <= read_left - 8'd1;
      end
    end
  end

  always @(posedge clk) begin
    if (rst) begin
      writing <= 1'b0;
      answering <= 1'b0;
      bvalid <= 1'b0;
    end else begin
      if (awvalid && awready) begin
        check(awburst, awaddr, awlen);
        writing <= 1'b1;
        write_place <= awaddr / BEAT_BYTES;
        write_left <= awlen;
      end
      if (wvalid && wready) begin
        for (lane = 0; lane < BEAT_BYTES; lane = lane + 1)
          if (wstrb[lane]) words[write_place][8*lane +: 8] <= wdata[8*lane +: 8];
        if (wlast != (write_left == 0)) begin
          $display("FAIL: WLAST does not match AWLEN");
          $stop;
        end
        write_place <= write_place + 1;
        write_left <= write_left - 8'd1;
        if (wlast) begin
          writing <= 1'b0;
          answering <= 1'b1;
          write_wait <= LATENCY;
        end
      end
      if (answering && write_wait > 1) write_wait <= write_wait - 1;
      else if (answering && !bvalid) bvalid <= 1'b1;
      if (bvalid && bready) begin
        bvalid <= 1'b0;
        answering <= 1'b0;
      end
    end
  end

  task check(input [1:0] burst, input [ADDRESS_BITS-1:0] address, input [7:0] length);
    if (burst != 2'b01 || address % BEAT_BYTES != 0 || address / BEAT_BYTES + length >= BEATS) begin
      $display("FAIL: burst of type %0d, %0d beats at %h", burst, length + 1, address);
      $stop;
    end
  endtask
endmodule

// The processor's side of the memory: Wishbone, words of 32 bits, an access in two cycles.
// It reaches into `memory`, the simulated_memory beside it.
module memory_port #(
    parameter int BEAT_BYTES = 4,
    parameter int BEATS = 1024
) (
    input  logic        clk,
    input  logic        rst,
    input  logic [29:0] adr,
    input  logic [31:0] dat_w,
    input  logic [3:0]  sel,
    input  logic        cyc,
    input  logic        stb,
    input  logic        we,
    output logic [31:0] dat_r,
    output logic        ack
);
  localparam int WORDS = BEAT_BYTES / 4;

  wire [$clog2(BEATS)-1:0] beat = adr / WORDS;
  wire [31:0] lane = adr % WORDS;
  wire access = cyc && stb && !ack;

  always @(posedge clk) begin
    ack <= !rst && access;
    if (access) begin
      dat_r <= memory.words[beat][32*lane+:32];
      for (int i = 0; i < 4; i = i + 1)
        if (we && sel[i]) memory.words[beat][32*lane+8*i+:8] <= dat_w[8*i+:8];
    end
  end
endmodule

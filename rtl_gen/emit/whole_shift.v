// For Yosys: a shift whose result is cut off becomes a whole shift and a slice, so that no
// assignment of the Verilog truncates.
(* techmap_celltype = "$shift $shr" *)
module whole_shift(A, B, Y);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  input [A_WIDTH-1:0] A;
  input [B_WIDTH-1:0] B;
  output [Y_WIDTH-1:0] Y;
  wire _TECHMAP_FAIL_ = A_SIGNED || B_SIGNED || Y_WIDTH >= A_WIDTH;
  wire [A_WIDTH-1:0] whole = A >> B;
  assign Y = whole[Y_WIDTH-1:0];
endmodule

// AXI4 memory for long simulations: storage, latency, bandwidth and stalls without Python in the loop.
// simulated_memory.py documents it and wraps it.
module simulated_memory #(
    parameter int ADDRESS_BITS = 32,
    parameter int BEAT_BYTES = 4,
    parameter int BEATS = 1024,
    parameter int SECURE = 0,
    parameter int STRICT = 1
) (
    input  logic                    clk,
    input  logic                    rst,
    input  logic                    load,
    input  logic                    dump,
    input  logic [31:0]             first,
    input  logic [31:0]             count,
    input  logic [15:0]             latency,
    input  logic [7:0]              rate,
    input  logic [7:0]              stall,
    input  logic [31:0]             fault_first,
    input  logic [31:0]             fault_count,
    input  logic [1:0]              fault_response,
    input  logic                    arid,
    input  logic [ADDRESS_BITS-1:0] araddr,
    input  logic [7:0]              arlen,
    input  logic [2:0]              arsize,
    input  logic [1:0]              arburst,
    input  logic                    arlock,
    input  logic [3:0]              arcache,
    input  logic [2:0]              arprot,
    input  logic [3:0]              arqos,
    input  logic                    arvalid,
    output logic                    arready,
    output logic                    rid,
    output logic [8*BEAT_BYTES-1:0] rdata,
    output logic [1:0]              rresp,
    output logic                    rlast,
    output logic                    rvalid,
    input  logic                    rready,
    input  logic                    awid,
    input  logic [ADDRESS_BITS-1:0] awaddr,
    input  logic [7:0]              awlen,
    input  logic [2:0]              awsize,
    input  logic [1:0]              awburst,
    input  logic                    awlock,
    input  logic [3:0]              awcache,
    input  logic [2:0]              awprot,
    input  logic [3:0]              awqos,
    input  logic                    awvalid,
    output logic                    awready,
    input  logic [8*BEAT_BYTES-1:0] wdata,
    input  logic [BEAT_BYTES-1:0]   wstrb,
    input  logic                    wlast,
    input  logic                    wvalid,
    output logic                    wready,
    output logic                    bid,
    output logic [1:0]              bresp,
    output logic                    bvalid,
    input  logic                    bready
);
  localparam int OFFSET_BITS = $clog2(BEAT_BYTES);
  localparam int BURSTS = 64;  // in flight, each direction
  localparam logic [1:0] INCR = 1, OKAY = 0, DECERR = 3;

  logic [8*BEAT_BYTES-1:0] words[0:BEATS-1];
  logic [31:0] now;
  logic [31:0] noise;  // xorshift32, a byte for each channel's stall
  logic was_reset = 0;  // before, everything is random
  integer file, done;

  function automatic logic [31:0] scramble(input logic [31:0] x);
    x = x ^ (x << 13);
    x = x ^ (x >> 17);
    return x ^ (x << 5);
  endfunction

  always @(posedge clk) begin
    if (was_reset && load) begin
      file = $fopen("memory.bin", "rb");
      done = $fread(words, file, first, count);
      $fclose(file);
      if (done != count * BEAT_BYTES) $fatal(1, "memory.bin: %0d bytes instead of %0d beats", done, count);
    end
    if (was_reset && dump) $writememh("memory.hex", words, first, first + count - 1);
    now <= rst ? 0 : now + 1;
    noise <= rst ? 32'h2545_f491 : stall == 0 ? noise : scramble(noise);
  end

  function automatic logic [1:0] response(input logic [ADDRESS_BITS-1:0] beat);
    return beat >= BEATS ? DECERR : beat - fault_first < fault_count ? fault_response : OKAY;
  endfunction

  // Tokens of bandwidth: a beat costs BEAT_BYTES, `rate` bytes arrive a cycle, each direction apart.
  localparam logic [8:0] MOST_TOKENS = 2 * BEAT_BYTES - 1;

  function automatic logic [8:0] refill(input logic [8:0] tokens);
    return tokens + rate > MOST_TOKENS ? MOST_TOKENS : tokens + rate;
  endfunction

  // Reads: a queue of bursts, the oldest is answered beat by beat.
  logic [ADDRESS_BITS-1:0] read_beat[0:BURSTS-1];
  logic [31:0] read_due[0:BURSTS-1];
  logic [7:0] read_len[0:BURSTS-1];
  logic [$clog2(BURSTS):0] read_head, read_tail;
  logic [7:0] read_offset;
  logic [8:0] read_tokens;
  wire [$clog2(BURSTS)-1:0] read_now = read_head[$clog2(BURSTS)-1:0];
  wire [ADDRESS_BITS-1:0] read_place = read_beat[read_now] + read_offset;
  wire read_goes = read_head != read_tail && now + 1 >= read_due[read_now] && (!rvalid || rready)
      && noise[7:0] >= stall && refill(read_tokens) >= BEAT_BYTES;

  assign arready = read_tail - read_head != BURSTS && noise[15:8] >= stall;

  always @(posedge clk) begin
    if (rst) begin
      {read_head, read_tail, read_offset, rvalid} <= 0;
      read_tokens <= MOST_TOKENS;
    end else begin
      if (arvalid && arready) begin
        read_beat[read_tail[$clog2(BURSTS)-1:0]] <= araddr >> OFFSET_BITS;
        read_len[read_tail[$clog2(BURSTS)-1:0]] <= arlen;
        read_due[read_tail[$clog2(BURSTS)-1:0]] <= now + latency;
        read_tail <= read_tail + 1;
      end
      read_tokens <= refill(read_tokens) - (read_goes ? BEAT_BYTES : 0);
      if (rready) rvalid <= 0;
      if (read_goes) begin
        rvalid <= 1;
        rdata <= read_place < BEATS ? words[read_place] : 0;
        rresp <= response(read_place);
        rlast <= read_offset == read_len[read_now];
        read_offset <= read_offset == read_len[read_now] ? 0 : read_offset + 1;
        if (read_offset == read_len[read_now]) read_head <= read_head + 1;
      end
    end
  end

  // Writes: a queue of bursts with two readers, the data and, once its burst is complete, the response.
  logic [ADDRESS_BITS-1:0] write_beat[0:BURSTS-1];
  logic [31:0] write_due[0:BURSTS-1];
  logic [7:0] write_len[0:BURSTS-1];
  logic [1:0] write_response[0:BURSTS-1];  // that of a burst's first beat without OKAY
  logic [$clog2(BURSTS):0] write_tail, data_head, response_head;
  logic [7:0] write_offset;
  logic [8:0] write_tokens;
  wire [$clog2(BURSTS)-1:0] data_now = data_head[$clog2(BURSTS)-1:0];
  wire [$clog2(BURSTS)-1:0] response_now = response_head[$clog2(BURSTS)-1:0];
  wire write_queued = data_head != write_tail;
  wire [ADDRESS_BITS-1:0] write_base = write_queued ? write_beat[data_now] : awaddr >> OFFSET_BITS;
  wire [ADDRESS_BITS-1:0] write_place = write_base + write_offset;
  wire [7:0] write_last = write_queued ? write_len[data_now] : awlen;

  assign awready = write_tail - response_head != BURSTS && noise[23:16] >= stall;
  assign wready = (write_queued || (awvalid && awready)) && noise[31:24] >= stall && refill(write_tokens) >= BEAT_BYTES;

  always @(posedge clk) begin
    if (rst) begin
      {write_tail, data_head, response_head, write_offset, bvalid} <= 0;
      write_tokens <= MOST_TOKENS;
    end else begin
      if (awvalid && awready) begin
        write_beat[write_tail[$clog2(BURSTS)-1:0]] <= awaddr >> OFFSET_BITS;
        write_len[write_tail[$clog2(BURSTS)-1:0]] <= awlen;
        write_tail <= write_tail + 1;
      end
      write_tokens <= refill(write_tokens) - (wvalid && wready ? BEAT_BYTES : 0);
      if (wvalid && wready) begin
        for (int i = 0; i < BEAT_BYTES; i = i + 1)
          if (wstrb[i] && write_place < BEATS) words[write_place][8*i+:8] <= wdata[8*i+:8];
        if (write_offset == 0 || write_response[data_now] == OKAY) write_response[data_now] <= response(write_place);
        write_due[data_now] <= now + latency;
        write_offset <= wlast ? 0 : write_offset + 1;
        if (wlast) data_head <= data_head + 1;
      end
      if (bready) bvalid <= 0;
      if (response_head != data_head && now + 1 >= write_due[response_now] && (!bvalid || bready)
          && noise[11:4] >= stall) begin
        bvalid <= 1;
        bresp <= write_response[response_now];
        response_head <= response_head + 1;
      end
    end
  end

  // Every burst has the same ID.
  assign {rid, bid} = 0;

  // The manager's side of the protocol.
  function automatic logic legal(input logic [ADDRESS_BITS-1:0] address, input logic [7:0] len,
                                 input logic [2:0] size, input logic [1:0] burst);
    return burst == INCR && size == OFFSET_BITS && address % BEAT_BYTES == 0
        && address % 4096 + (len + 1) * BEAT_BYTES <= 4096;
  endfunction

  // Normal memory, not cacheable; a read may be answered on the way, a write may not.
  localparam logic [3:0] READ_CACHE = 4'b0011, WRITE_CACHE = 4'b0010;
  localparam logic [2:0] PROT = SECURE != 0 ? 3'b000 : 3'b010;
  wire [12:0] ar_attributes = {arid, arlock, arcache, arprot, arqos};
  wire [12:0] aw_attributes = {awid, awlock, awcache, awprot, awqos};

  // What must not change while it waits.
  wire [ADDRESS_BITS+25:0] ar_now = {araddr, arlen, arsize, arburst, ar_attributes};
  wire [ADDRESS_BITS+25:0] aw_now = {awaddr, awlen, awsize, awburst, aw_attributes};
  wire [9*BEAT_BYTES:0] w_now = {wdata, wstrb, wlast};

  logic ar_waited, aw_waited, w_waited;
  logic [ADDRESS_BITS+25:0] ar_before, aw_before;
  logic [9*BEAT_BYTES:0] w_before;

  always @(posedge clk) begin
    if (rst) was_reset <= 1;
    ar_waited <= !rst && arvalid && !arready;
    aw_waited <= !rst && awvalid && !awready;
    w_waited <= !rst && wvalid && !wready;
    ar_before <= ar_now;
    aw_before <= aw_now;
    w_before <= w_now;
    if (was_reset && !rst && STRICT != 0) begin
      if (arvalid && !legal(araddr, arlen, arsize, arburst)) $fatal(1, "AR: illegal burst at %h", araddr);
      if (awvalid && !legal(awaddr, awlen, awsize, awburst)) $fatal(1, "AW: illegal burst at %h", awaddr);
      if (arvalid && ar_attributes != {2'b0, READ_CACHE, PROT, 4'b0}) $fatal(1, "AR: attributes %b", ar_attributes);
      if (awvalid && aw_attributes != {2'b0, WRITE_CACHE, PROT, 4'b0}) $fatal(1, "AW: attributes %b", aw_attributes);
      if (wvalid && !(&wstrb)) $fatal(1, "W: part of a beat, strobes %b", wstrb);
      if (ar_waited && !(arvalid && ar_now == ar_before)) $fatal(1, "AR: changed before its transfer");
      if (aw_waited && !(awvalid && aw_now == aw_before)) $fatal(1, "AW: changed before its transfer");
      if (w_waited && !(wvalid && w_now == w_before)) $fatal(1, "W: changed before its transfer");
      if (wvalid && wready && wlast != (write_offset == write_last))
        $fatal(1, "W: WLAST does not match AWLEN");
    end
  end
endmodule

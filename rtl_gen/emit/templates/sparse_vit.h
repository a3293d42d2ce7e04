/* Driver of a sparse ViT accelerator: C99, freestanding, no memory of its own.
 *
 * How registers are reached: by default through the volatile pointer `registers`. Where that does
 * not do (a bus behind a bridge, a test), define SPARSE_VIT_READ and SPARSE_VIT_WRITE, both with
 * the device and a byte offset, before this file is included and when sparse_vit.c is compiled.
 *
 * A program, and memory that it stores into, must be written back from the host's caches before a
 * start, and results invalidated after the end: the accelerator does not snoop.
 */
#ifndef SPARSE_VIT_H
#define SPARSE_VIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sparse_vit_registers.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
    volatile uint32_t *registers; /* where the bus shows the register map */
} sparse_vit_device;

#ifndef SPARSE_VIT_READ
#define SPARSE_VIT_READ(device, offset) ((device)->registers[(offset) / 4u])
#endif
#ifndef SPARSE_VIT_WRITE
#define SPARSE_VIT_WRITE(device, offset, value) ((device)->registers[(offset) / 4u] = (value))
#endif

/* Why a program stopped: the code of register `error`. */
typedef enum {
@{errors}
} sparse_vit_error;

typedef struct {
@{counters}
} sparse_vit_counters;

/* Whether a device that this driver knows is there. */
bool sparse_vit_present(const sparse_vit_device *device);

/* The digest of its configuration: programs are compiled for one. */
uint64_t sparse_vit_config(const sparse_vit_device *device);

/* Start the program at `address`, a multiple of the beats of the memory port; it stores its results
 * behind `results`, a multiple of 4 KB: the address of the image, or 0. False, and nothing done,
 * while another one runs. */
bool sparse_vit_start(const sparse_vit_device *device, uint64_t address, uint64_t results);

/* Memory that programs may lie in and that they may write, from `base` to the byte `limit`, both
 * pages of 4 KB: what leaves them ends with SPARSE_VIT_ERROR_OUT_OF_BOUNDS. Nothing is done, and
 * false is the answer, while a program runs and once the bounds are locked, until a hard reset. */
bool sparse_vit_bound_reads(const sparse_vit_device *device, uint64_t base, uint64_t limit);
bool sparse_vit_bound_writes(const sparse_vit_device *device, uint64_t base, uint64_t limit);
void sparse_vit_lock_bounds(const sparse_vit_device *device);

/* Whether a program runs; whether one has ended since the last start or acknowledgement. */
bool sparse_vit_busy(const sparse_vit_device *device);
bool sparse_vit_done(const sparse_vit_device *device);

/* Poll for the end at most `polls` times; whether it came. */
bool sparse_vit_wait(const sparse_vit_device *device, uint32_t polls);

/* Interrupt at the end of programs, until the acknowledgement. An interrupt handler calls
 * sparse_vit_acknowledge after it has read the error. */
void sparse_vit_interrupt(const sparse_vit_device *device, bool enable);
void sparse_vit_acknowledge(const sparse_vit_device *device);

sparse_vit_error sparse_vit_last_error(const sparse_vit_device *device);

/* The name of an error, and "unknown" for other numbers. */
const char *sparse_vit_error_name(sparse_vit_error error);

/* Counters of the last program, to be read while none runs. */
void sparse_vit_read_counters(const sparse_vit_device *device, sparse_vit_counters *counters);

/* End a program at once. Memory that it used belongs to the host when sparse_vit_quiet says so. */
void sparse_vit_reset(const sparse_vit_device *device);

/* Not busy, and nothing outstanding on the memory port. */
bool sparse_vit_quiet(const sparse_vit_device *device);

#ifdef __cplusplus
}
#endif

#endif

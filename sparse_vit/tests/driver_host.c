/* Registers as an array: every access is printed, as is what the driver makes of it. */
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>

static uint32_t words[1024];

#define SPARSE_VIT_READ(device, offset) ((void)(device), noted_read((uint32_t)(offset)))
#define SPARSE_VIT_WRITE(device, offset, value) \
    ((void)(device), noted_write((uint32_t)(offset), (value)))

static uint32_t noted_read(uint32_t offset)
{
    printf("r%" PRIu32 " ", offset);
    return words[offset / 4];
}

static void noted_write(uint32_t offset, uint32_t value)
{
    printf("w%" PRIu32 "=%" PRIu32 " ", offset, value);
}

#include "sparse_vit.c"

#define WORD(name) words[offsetof(sparse_vit_t, name) / 4]

int main(void)
{
    const sparse_vit_device device = {0};
    sparse_vit_counters counters;
    uint32_t i;

    WORD(id) = 0x53564954;
    WORD(version) = 0x00010007;
    printf("present %d\n", sparse_vit_present(&device));
    WORD(version) = 0x00020000;
    printf("other version %d\n", sparse_vit_present(&device));
    WORD(config_high) = 0x11223344;
    WORD(config_low) = 0x55667788;
    printf("config %" PRIx64 "\n", sparse_vit_config(&device));
    WORD(status) = 8;
    printf("start %d\n", sparse_vit_start(&device, 4096, 8192));
    WORD(status) = 1;
    printf("start while busy %d\n", sparse_vit_start(&device, 4096, 8192));
    printf("wait %d\n", sparse_vit_wait(&device, 3));
    WORD(status) = 6;
    printf("wait %d\n", sparse_vit_wait(&device, 3));
    WORD(error) = 10;
    i = (uint32_t)sparse_vit_last_error(&device);
    printf("error %" PRIu32 " %s\n", i, sparse_vit_error_name((sparse_vit_error)i));
    sparse_vit_acknowledge(&device);
    printf("acknowledged\n");
    WORD(status) = 1;
    printf("bound while busy %d\n", sparse_vit_bound_reads(&device, 0, 4095));
    WORD(status) = 0;
    printf("bound reads %d\n", sparse_vit_bound_reads(&device, 4096, 16383));
    printf("bound writes %d\n", sparse_vit_bound_writes(&device, 8192, 12287));
    sparse_vit_lock_bounds(&device);
    printf("locked\n");
    WORD(bounds_lock) = 1;
    printf("bound when locked %d\n", sparse_vit_bound_writes(&device, 0, 4095));
    sparse_vit_interrupt(&device, true);
    sparse_vit_interrupt(&device, false);
    printf("interrupt\n");
    WORD(status) = 0;
    sparse_vit_reset(&device);
    printf("quiet %d ", sparse_vit_quiet(&device));
    WORD(status) = 8;
    printf("quiet %d\n", sparse_vit_quiet(&device));
    for (i = 0; i < 1024; i++)
        words[i] = 36 + i;
    sparse_vit_read_counters(&device, &counters);
    printf("counters %" PRIu32 " %" PRIu32 "\n", counters.cycles, counters.pool_cycles);
    return 0;
}

/* See sparse_vit.h. */
#include "sparse_vit.h"

#define OFFSET(name) offsetof(sparse_vit_t, name)
#define READ(name) SPARSE_VIT_READ(device, OFFSET(name))
#define WRITE(name, value) SPARSE_VIT_WRITE(device, OFFSET(name), (value))

/* An address in one register, or in two if there are more than 32 bits of it. */
#ifdef SPARSE_VIT__PROGRAM_ADDRESS_HIGH__VALUE_bm
#define WRITE_ADDRESS(name, value)                      \
    do {                                                \
        WRITE(name, (uint32_t)(value));                 \
        WRITE(name##_high, (uint32_t)((value) >> 32));  \
    } while (0)
#else
#define WRITE_ADDRESS(name, value) WRITE(name, (uint32_t)(value))
#endif

bool sparse_vit_present(const sparse_vit_device *device)
{
    const uint32_t major = SPARSE_VIT__VERSION__MAJOR_bm;
    const uint32_t known = (uint32_t)SPARSE_VIT__VERSION__MAJOR_reset
                           << SPARSE_VIT__VERSION__MAJOR_bp;

    return READ(id) == SPARSE_VIT__ID__VALUE_reset && (READ(version) & major) == known;
}

uint64_t sparse_vit_config(const sparse_vit_device *device)
{
    const uint64_t high = READ(config_high);

    return high << 32 | READ(config_low);
}

bool sparse_vit_start(const sparse_vit_device *device, uint64_t address, uint64_t results)
{
    if (sparse_vit_busy(device))
        return false;
    WRITE_ADDRESS(result_base, results);
    WRITE_ADDRESS(program_address, address);
    WRITE(control, SPARSE_VIT__CONTROL__START_bm);
    return true;
}

static bool bounds_are_free(const sparse_vit_device *device)
{
    return !sparse_vit_busy(device) && (READ(bounds_lock) & SPARSE_VIT__BOUNDS_LOCK__LOCKED_bm) == 0;
}

bool sparse_vit_bound_reads(const sparse_vit_device *device, uint64_t base, uint64_t limit)
{
    if (!bounds_are_free(device))
        return false;
    WRITE_ADDRESS(read_base, base);
    WRITE_ADDRESS(read_limit, limit);
    return true;
}

bool sparse_vit_bound_writes(const sparse_vit_device *device, uint64_t base, uint64_t limit)
{
    if (!bounds_are_free(device))
        return false;
    WRITE_ADDRESS(write_base, base);
    WRITE_ADDRESS(write_limit, limit);
    return true;
}

void sparse_vit_lock_bounds(const sparse_vit_device *device)
{
    WRITE(bounds_lock, SPARSE_VIT__BOUNDS_LOCK__LOCKED_bm);
}

bool sparse_vit_busy(const sparse_vit_device *device)
{
    return (READ(status) & SPARSE_VIT__STATUS__BUSY_bm) != 0;
}

bool sparse_vit_done(const sparse_vit_device *device)
{
    return (READ(status) & SPARSE_VIT__STATUS__DONE_bm) != 0;
}

bool sparse_vit_wait(const sparse_vit_device *device, uint32_t polls)
{
    while (polls-- != 0)
        if (sparse_vit_done(device))
            return true;
    return false;
}

void sparse_vit_interrupt(const sparse_vit_device *device, bool enable)
{
    WRITE(interrupt_enable, enable ? SPARSE_VIT__INTERRUPT_ENABLE__DONE_bm : 0u);
}

void sparse_vit_acknowledge(const sparse_vit_device *device)
{
    WRITE(control, SPARSE_VIT__CONTROL__CLEAR_bm);
}

sparse_vit_error sparse_vit_last_error(const sparse_vit_device *device)
{
    return (sparse_vit_error)(READ(error) & SPARSE_VIT__ERROR__CODE_bm);
}

const char *sparse_vit_error_name(sparse_vit_error error)
{
    switch (error) {
@{error_names}
    }
    return "unknown";
}

void sparse_vit_read_counters(const sparse_vit_device *device, sparse_vit_counters *counters)
{
@{counter_reads}
}

void sparse_vit_reset(const sparse_vit_device *device)
{
    WRITE(control, SPARSE_VIT__CONTROL__RESET_bm);
}

bool sparse_vit_quiet(const sparse_vit_device *device)
{
    return (READ(status) & SPARSE_VIT__STATUS__QUIET_bm) != 0;
}

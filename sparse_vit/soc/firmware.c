/* One picture through the accelerator.
 *
 * Puts a program and a picture into the memory that the accelerator shares with the processor,
 * starts it, sleeps until its interrupt and prints what came out, a line a value: logits, their
 * class, the counters, and how many instructions the processor took from start to interrupt. A line
 * `error` stands for all of it where there is one. The character EOT ends the output.
 *
 * program.h says what is put where.
 */
#include <generated/csr.h>
#include <generated/mem.h>
#include <irq.h>

#include "program.h"
#include "sparse_vit.h"

#define EOT 4

static const sparse_vit_device vit = {(volatile uint32_t *)VIT_BASE};

static volatile bool ended;
static volatile sparse_vit_error error;

void isr(void)
{
    if ((irq_pending() & irq_getmask() & 1u << VIT_INTERRUPT) == 0)
        return;
    error = sparse_vit_last_error(&vit);
    sparse_vit_acknowledge(&vit);
    ended = true;
}

/* `wfi` returns when an interrupt is up, also one that is not taken yet: none gets lost between the
 * look at `ended` and the sleep. */
static void sleep_until_end(void)
{
    while (!ended) {
        irq_setie(0);
        if (!ended)
            __asm__ volatile("wfi");
        irq_setie(1);
    }
}

static void print(const char *text)
{
    while (*text != 0) {
        while (uart_txfull_read())
            ;
        uart_rxtx_write((uint8_t)*text++);
    }
}

static void print_value(const char *name, int32_t value)
{
    char digits[11];
    char *first = digits + sizeof digits;
    uint32_t left = value < 0 ? -(uint32_t)value : (uint32_t)value;

    *--first = 0;
    do {
        *--first = (char)('0' + left % 10);
        left /= 10;
    } while (left != 0);
    print(name);
    print(value < 0 ? " -" : " ");
    print(first);
    print("\n");
}

static void copy(uint32_t offset, const uint32_t *from, uint32_t bytes)
{
    volatile uint32_t *to = (volatile uint32_t *)(VIT_MEMORY_BASE + offset);

    for (uint32_t i = 0; i < bytes / sizeof *from; i++)
        to[i] = from[i];
}

static const char *run(uint32_t *instructions)
{
    const uint32_t last = VIT_MEMORY_BASE + VIT_MEMORY_SIZE - 1;
    uint32_t before;

    if (!sparse_vit_present(&vit))
        return "no accelerator";
    if (sparse_vit_config(&vit) != PROGRAM_CONFIG)
        return "a program for another configuration";
    if (!sparse_vit_bound_reads(&vit, VIT_MEMORY_BASE, last) ||
        !sparse_vit_bound_writes(&vit, VIT_MEMORY_BASE, last))
        return "bounds are locked";
    copy(0, program, PROGRAM_BYTES);
    copy(PICTURE_ADDRESS, picture, PICTURE_BYTES);
    irq_setmask(1u << VIT_INTERRUPT);
    irq_setie(1);
    sparse_vit_interrupt(&vit, true);
    before = csrr(minstret);
    if (!sparse_vit_start(&vit, VIT_MEMORY_BASE, VIT_MEMORY_BASE))
        return "busy";
    sleep_until_end();
    *instructions = csrr(minstret) - before;
    return error == SPARSE_VIT_ERROR_NONE ? NULL : sparse_vit_error_name(error);
}

static void print_results(uint32_t instructions)
{
    const volatile logit *logits = (const volatile logit *)(VIT_MEMORY_BASE + LOGITS_ADDRESS);
    sparse_vit_counters counters;
    int32_t best = 0;

    for (int32_t i = 0; i < LOGITS; i++) {
        print_value("logit", logits[i]);
        if (logits[i] > logits[best])
            best = i;
    }
    print_value("class", best);
    sparse_vit_read_counters(&vit, &counters);
#define PRINT_COUNTER(name) print_value(#name, (int32_t)counters.name);
    COUNTERS(PRINT_COUNTER)
    print_value("instructions", (int32_t)instructions);
}

int main(void)
{
    const char end[] = {EOT, 0};
    uint32_t instructions = 0;
    const char *failed = run(&instructions);

    if (failed != NULL) {
        print("error ");
        print(failed);
        print("\n");
    } else {
        print_results(instructions);
    }
    print(end);
    return 0;
}

"""Proofs of what connects the cores."""

from amaranth.hdl import Cat, Module
from amaranth.lib import stream

from proofs.common import Order
from proofs.harness import Harness, assume
from proofs.proof import Proof
from rtl_gen.common.contract import require
from rtl_gen.common.queue import Queue
from rtl_gen.core.broadcast import broadcast

CORES = 4
PLACES = 2


class CoresGetTheirItems(Harness):
    """Cores that take items into a queue and out of it at any time, as slowly as they like.

    What is for a core enters its queue when the source sends it, and leaves it in that order.
    """

    def claim(self, m: Module) -> None:
        queues = [Queue(2, PLACES) for _ in range(CORES)]
        for core, queue in enumerate(queues):
            m.submodules[f"queue_{core}"] = queue
            m.d.comb += queue.o.ready.eq(self.free(1, f"takes_{core}"))
        source = stream.Signature(2).create(path=("source",))
        m.d.comb += [
            source.valid.eq(self.free(1, "valid")),
            source.payload.eq(self.free(2, "payload")),
        ]
        chosen = self.free(CORES, "chosen")
        assume(m, ~source.valid | chosen.any())
        broadcast(m, "items", source, chosen, [queue.i for queue in queues])
        sent = source.valid & source.ready
        full = Cat(
            self._follow(m, core, sent & chosen[core], source, queues[core])
            for core in range(CORES)
        )
        goes_on = (chosen & full) == 0
        require(m, source.ready == goes_on, "an item waits for another core than those it is for")

    def _follow(self, m: Module, core: int, enters, source, queue):
        """One core's items; whether it has no place for another one."""
        order = Order(
            m,
            self.free(1, f"follow_{core}"),
            most=PLACES,
            enters=enters,
            leaves=queue.o.valid & queue.o.ready,
            given=source.payload,
            taken=queue.o.payload,
        )
        has_items = order.inside != 0
        require(
            m, queue.o.valid == has_items, "a core lost an item, or got one that is not its own"
        )
        return order.inside == PLACES


PROOFS = (
    Proof(
        unit="core.broadcast",
        name="every core its own",
        claim=f"each of {CORES} cores gets what is for it once and in order, however slow the "
        "others are, and an item waits for those alone that it is for",
        harness=CoresGetTheirItems,
        broken=(
            "rtl_gen.core.broadcast",
            "others = _all(willing[:index] + willing[index + 1 :])",
            "others = _all(willing[:index])",
        ),
    ),
)

"""The program of a whole network, command by command: the one place that says their order.

The compiler (model/program/compiler.py) gives the steps their data and makes a memory image of
them; the cycle model (sim_models/network.py) takes them as they are, since data do not matter to
time, and can also prune in another place of a layer, which is another place for the same command.

Channels lie in whole rows of `width`: those of a token, of each head of a token and of a patch are
filled up, with zeros or with what zero weights make nothing of.

    opening    tokens, residual stream, patches; patch embedding; LayerNorm in front of the layers
    layer      norm 1; for each head its QKV layer, its mask (loads behind that layer's last tile)
               and attention; pruning; projection; norm 2; FFN
    closing    what the classifier is given, by `Network.readout`; classifier; results to memory

Channel shifts and the nonlinearity's table load behind the linear layer before their use.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from model.network.shape import Network
from model.program.memory_image import TOKEN_TARGETS, StoredTensor
from model.program.step import TRANSFER, Parameter, Step
from model.program.whole_rows import slices_of, tiles_of
from model.pruning.placement import Placement
from rtl_gen import numerics
from rtl_gen.config import AcceleratorConfig
from rtl_gen.control.commands import Opcode
from rtl_gen.interfaces.program import Destination, Source
from rtl_gen.interfaces.targets import Target


def network_steps(
    config: AcceleratorConfig,
    network: Network,
    keep: Sequence[int | None],
    placement: Placement = Placement.AFTER_ATTENTION,
    *,
    dump: bool = False,
) -> Iterator[Step]:
    """Every command of one image, or of one a core, in order.

    keep: tokens, the prefix included, that each layer leaves; None where it drops none
    placement: where in a layer they go; the golden model has them go behind attention
    dump: also store every intermediate tensor that lies in a memory
    """
    program = _Program(config, network, dump=dump)
    yield from program.opening()
    for index, count in enumerate(keep):
        for step in program.layer(index, count, placement):
            yield step._replace(layer=index)
    yield from program.closing()


class _Program:
    def __init__(self, config: AcceleratorConfig, network: Network, *, dump: bool):
        self.config, self.network, self.dumps = config, network, dump
        self.rows = config.channel_rows(network.dim)

    def opening(self) -> Iterator[Step]:
        config, network = self.config, self.network
        yield self.tokens(network.tokens)
        yield self.residual("initial")
        patch_rows = network.tokens * config.channel_rows(network.patch_inputs)
        for core in range(config.cores):
            yield self.load(Target.HIDDEN, patch_rows, barrier=1, core=core, from_host=1)
        yield self.channel_shifts("pre_norm.norm" if network.pre_norm else "layers.0.norm1")
        yield self.to_residual("patch_embedding", "patch", Source.HIDDEN, network.patch_inputs)
        yield from self.stream("embedding")
        if network.pre_norm:
            yield from self.renormalise("pre_norm", "patch_embedding", "layers.0.norm1")

    def layer(self, index: int, keep: int | None, placement: Placement) -> Iterator[Step]:
        """One encoder layer; ends with the channel shifts of the norm behind it on chip."""
        network, name = self.network, f"layers.{index}"
        prunes = [] if keep is None else [self.prune(keep)]
        if placement is Placement.BEFORE_LAYER:
            yield from prunes
        yield self.norm(f"{name}.norm1")
        yield from self.dump(f"{name}.norm1", Target.ACTIVATION, self.network.dim)
        for head in range(network.heads):
            yield from self.head(index, head, accumulate=keep is not None or self.dumps)
        yield from self.dump(f"{name}.attention", Target.HIDDEN, network.dim, groups=network.heads)
        yield from self.dump_tokens(f"{name}.importance", Target.IMPORTANCE, 32)
        if placement is Placement.AFTER_ATTENTION:
            # Without pruning, a selection of all tokens clears the sums that were dumped.
            yield from prunes or ([self.prune(network.tokens)] if self.dumps else [])
        yield from self.dump_tokens(f"{name}.survivors", Target.LIVE, 1)
        yield self.to_residual(
            "projection", f"{name}.projection", Source.HIDDEN, network.dim, network.heads
        )
        yield from self.ffn(name, self.norm_behind(index))
        if placement is Placement.AFTER_FFN:
            yield from prunes

    def head(self, index: int, head: int, *, accumulate: bool) -> Iterator[Step]:
        """QKV, mask and attention of a head; q, k and v take a row each, padding is 0 in q and k:
        what v has behind its channels meets zero weights in the projection.
        """
        network, name = self.network, f"layers.{index}"
        outputs = 3 * network.head_dim
        parameter = Parameter(f"{name}.qkv", head * outputs, outputs, output_groups=3)
        yield self.linear("qkv", parameter, network.dim, outputs, Source.ACTIVATION)
        mask_rows = -(-network.tokens * self.config.mask_bytes // self.config.width)
        yield self.load(Target.MASK, mask_rows, Parameter(f"masks.{index}.{head}"))
        for target in TOKEN_TARGETS:
            letter = target.name[0].lower()
            yield from self.dump(f"{name}.{letter}.{head}", target, network.head_dim)
        fields = {"first": head, "pitch": network.heads, "accumulate": int(accumulate)}
        yield Step("attention", Opcode.ATTEND, fields, Parameter(f"{name}.heads.{head}"))

    def ffn(self, name: str, norm_behind: str) -> Iterator[Step]:
        config, network = self.config, self.network
        table_rows = numerics.GELU_ENTRIES // config.width
        yield self.load(Target.GELU, table_rows, Parameter(f"{name}.nonlinearity"))
        yield self.channel_shifts(f"{name}.norm2")
        yield from self.stream(f"{name}.x_mid")
        yield self.norm(f"{name}.norm2")
        yield from self.dump(f"{name}.norm2", Target.ACTIVATION, self.network.dim)
        yield self.linear(
            "ffn",
            Parameter(f"{name}.ffn1"),
            network.dim,
            network.hidden,
            Source.ACTIVATION,
            destination=Destination.HIDDEN,
            pitch=config.channel_rows(network.hidden),
        )
        yield from self.dump(f"{name}.hidden", Target.HIDDEN, network.hidden)
        yield self.to_residual("ffn", f"{name}.ffn2", Source.HIDDEN, network.hidden)
        yield self.channel_shifts(norm_behind)
        yield from self.stream(f"{name}.x_out")

    def closing(self) -> Iterator[Step]:
        """The tokens that are read out, normalised; the classifier; results."""
        network = self.network
        if network.averages_normalised:
            yield from self.renormalise("mean", "classifier", "norm")
        if network.pools:
            fields = {"prefix": network.left_out, "first": 0, "dim": network.dim}
            yield Step("classifier", Opcode.POOL, fields)
            yield self.tokens(1)
            yield from self.dump("pooled", Target.RESIDUAL, network.dim, tokens=1)
        read = network.read_tokens
        yield self.norm("norm", only_cls=int(read == 1), plain=int(network.plain_readout))
        yield from self.dump("norm", Target.ACTIVATION, network.dim, tokens=read)
        yield from self.classifier(read)
        yield Step(TRANSFER, Opcode.HALT, {})

    def classifier(self, read: int) -> Iterator[Step]:
        """As many outputs at once as the hidden memory holds of a token."""
        network, most = self.network, self.config.hidden_dim
        for first in range(0, network.outputs, most):
            outputs = min(most, network.outputs - first)
            yield self.linear(
                "classifier",
                Parameter("classifier", first, outputs, input_groups=read),
                read * network.dim,
                outputs,
                Source.ACTIVATION,
                destination=Destination.LOGITS,
                only_cls=1,
            )
            yield from self.store("logits", Target.HIDDEN, (1, outputs), numerics.LOGIT_BITS)

    def renormalise(self, name: str, operation: str, norm_behind: str) -> Iterator[Step]:
        """A LayerNorm whose outputs become the residual stream."""
        yield self.norm(f"{name}.norm")
        yield from self.dump(f"{name}.norm", Target.ACTIVATION, self.network.dim)
        yield self.residual()
        yield self.to_residual(operation, f"{name}.linear", Source.ACTIVATION, self.network.dim)
        yield self.channel_shifts(norm_behind)
        yield from self.stream(f"{name}.x")

    def norm_behind(self, index: int) -> str:
        if index + 1 < self.network.layers:
            return f"layers.{index + 1}.norm1"
        return "mean.norm" if self.network.averages_normalised else "norm"

    def tokens(self, count: int) -> Step:
        return Step("pruning", Opcode.SET_TOKENS, {"count": count})

    def prune(self, count: int) -> Step:
        fields = {"count": count, "prefix": self.network.prefix_tokens}
        return Step("pruning", Opcode.PRUNE, fields)

    def norm(self, name: str, only_cls: int = 0, plain: int = 0) -> Step:
        fields = {"dim": self.network.dim, "only_cls": only_cls, "plain": plain}
        return Step("layer_norm", Opcode.NORM, fields, Parameter(name))

    def to_residual(
        self, operation: str, name: str, source: Source, inputs: int, input_groups: int = 1
    ) -> Step:
        return self.linear(
            operation,
            Parameter(name, input_groups=input_groups),
            inputs,
            self.network.dim,
            source,
            destination=Destination.RESIDUAL,
            pitch=2 * self.rows,
        )

    def linear(
        self,
        operation: str,
        parameter: Parameter,
        inputs: int,
        outputs: int,
        source: Source,
        *,
        destination: Destination = Destination.QKV,
        pitch: int = 0,
        only_cls: int = 0,
    ) -> Step:
        fields = {
            "source": source,
            "destination": destination,
            "pitch": pitch,
            "slices": slices_of(self.config, inputs, parameter.input_groups),
            "tiles": tiles_of(self.config, outputs, parameter.output_groups),
            "only_cls": only_cls,
        }
        return Step(operation, Opcode.LINEAR, fields, parameter)

    def load(
        self,
        target: Target,
        rows: int,
        parameter: Parameter | None = None,
        barrier: int = 0,
        core: int | None = None,
        from_host: int = 0,
    ) -> Step:
        """For all cores, or for the core `core`; of what the host puts there, or of constants."""
        fields = {"target": target, "count": rows, "barrier": barrier, "input": from_host}
        if core is not None and self.config.cores > 1:
            fields |= {"one_core": 1, "core": core}
        return Step(TRANSFER, Opcode.LOAD, fields, parameter)

    def residual(self, name: str | None = None) -> Step:
        """The residual stream's contents, or zeros."""
        rows = self.network.tokens * 2 * self.rows
        return self.load(Target.RESIDUAL, rows, name and Parameter(name), barrier=1)

    def channel_shifts(self, name: str) -> Step:
        return self.load(Target.CHANNEL_SHIFT, 2 * self.rows, Parameter(name))

    def store(
        self, name: str, target: Target, shape: tuple, bits: int, groups: int = 1
    ) -> Iterator[Step]:
        """That of every core."""
        tensor = StoredTensor.of(self.config, name, target, shape, bits, groups)
        for core in range(self.config.cores):
            fields = {"target": target, "count": tensor.rows, "core": core}
            yield Step(TRANSFER, Opcode.STORE, fields, stored=replace(tensor, core=core))

    def stream(self, name: str) -> Iterable[Step]:
        return self.dump(name, Target.RESIDUAL, self.network.dim)

    def dump(
        self,
        name: str,
        target: Target,
        channels: int,
        *,
        tokens: int | None = None,
        groups: int = 1,
    ) -> Iterable[Step]:
        bits = numerics.RESIDUAL_BITS if target == Target.RESIDUAL else 8
        shape = (tokens or self.network.tokens, channels)
        return self.store(name, target, shape, bits, groups) if self.dumps else []

    def dump_tokens(self, name: str, target: Target, bits: int) -> Iterable[Step]:
        shape = (self.network.tokens,)
        return self.store(name, target, shape, bits) if self.dumps else []

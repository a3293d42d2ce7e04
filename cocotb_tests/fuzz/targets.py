"""Commands and what is done to them: strategies of Hypothesis that draw whole attempts."""

from collections.abc import Callable

from hypothesis import strategies as st

from cocotb_tests.fuzz import arrays, damage, documents, pictures, samples, weights
from cocotb_tests.fuzz.attempts import OUT, Attempt, Node
from cocotb_tests.fuzz.samples import FOLDER, NETWORK

Attempts = st.SearchStrategy[Attempt]

INTEGERS = "int8.safetensors"

LITTLE = ("--steps=2", "--batch-size=2")
"""Work of what learns."""


def _of_file(
    name: str, damaged: st.SearchStrategy[damage.Damaged], *words: str, **others: bytes
) -> Attempts:
    """A command whose file `name` is damaged; `others` are right, by their names without dots."""
    files = {other.replace("_", "."): contents for other, contents in others.items()}
    return damaged.map(
        lambda drawn: Attempt(
            words, {**files, name: drawn.contents}, f"{name}: {drawn.label}", drawn.fatal
        )
    )


def _unchanged(
    name: str, right: bytes, same: st.SearchStrategy[damage.Damaged], *words: str
) -> Attempts:
    """A command whose file `name` looks different and says the same."""
    expected = Attempt(words, {name: right})
    return same.map(
        lambda drawn: Attempt(
            words, {name: drawn.contents}, f"{name}: {drawn.label}", same_as=expected
        )
    )


def _mask_files() -> Attempts:
    name, word = "masks.npy", "{masks.npy}"
    image = ("image", "--model", NETWORK, "--config", "small", "--out", f"{{{OUT}}}")
    return st.one_of(
        _of_file(name, arrays.masks(), "inspect-mask", word),
        _of_file(name, arrays.masks(), "inspect-mask", word, "--model", NETWORK),
        _of_file(name, arrays.masks(), "polarise", word, "--out", f"{{{OUT}}}/x.npz"),
        _of_file(name, arrays.masks(), "compare-vitcod", word, "--config", "small"),
        _of_file(name, arrays.masks(), *image, "--masks", word),
        _unchanged(name, samples.masks(), arrays.same_masks(), *image, "--masks", word),
    )


def _map_files() -> Attempts:
    words = ("masks", "--sparsity", "0.5", "--out", f"{{{OUT}}}/masks.npy")
    learned = (*words, "--model", NETWORK, "--strategy", "learned", "--scores", "{file.npz}")
    return st.one_of(
        _of_file("file.npz", arrays.archives(samples.maps()), *words, "--maps", "{file.npz}"),
        _of_file("file.npz", arrays.archives(samples.scores()), *learned),
        _unchanged(
            "file.npz",
            samples.maps(),
            arrays.same_archive(samples.maps()),
            *words,
            "--maps",
            "{file.npz}",
        ),
    )


def _schedule_files() -> Attempts:
    name, word = "schedule.json", "{schedule.json}"
    words = ("schedule", "--model", NETWORK, "--schedule", word)
    known = {**samples.SCHEDULE, "provenance": {}}
    return st.one_of(
        _of_file(name, documents.documents(known), *words),
        _of_file(name, damage.nodes(), *words),
        _unchanged(name, samples.schedule(), documents.same_text(samples.SCHEDULE), *words),
    )


def _sweep_files() -> Attempts:
    words = ("sweep", "{sweep.yaml}", "--processes", "1", "--out", f"{{{OUT}}}")
    energy = {"mac": 0.2, "name": "x", "sram_64_bits": {8: 10.0, 32: 20.0}, "dram_64_bits": 1300.0}
    known = {**samples.SWEEP, "pruning": ["none"], "memory": {"latency": 100}, "overrides": {}}
    return st.one_of(
        _of_file("sweep.yaml", documents.yaml(known), *words),
        _unchanged("sweep.yaml", samples.sweep(), documents.same_text(samples.SWEEP), *words),
        _of_file(
            "energy.yaml",
            documents.yaml(energy),
            *words,
            "--energy",
            "{energy.yaml}",
            sweep_yaml=samples.sweep(),
        ),
    )


def _network_commands(weight_file: str) -> st.SearchStrategy[tuple[str, ...]]:
    """Commands that run a network on the pictures of FOLDER, its weights in `weight_file`."""
    source = (f"--weights={{{weight_file}}}", f"--data={{{FOLDER}}}")
    words = (f"--model={NETWORK}", *source)
    out, integers = f"{{{OUT}}}", f"{{{INTEGERS}}}"
    return st.sampled_from(
        [
            ("attention-maps", *words, f"--out={out}/maps.npz"),
            ("quantise", *words, f"--out={out}/int8.safetensors"),
            ("accuracy", *words, "--no-integer", f"--maps={NETWORK}", f"--out={out}"),
            ("accuracy", *words, f"--network={integers}", f"--out={out}"),
            ("prune", *words, f"--out={out}/importance.csv"),
            ("integer-accuracy", integers, *source),
            ("integer-loss", integers, *source, f"--out={out}/loss.csv"),
            ("learn-scores", *words, *LITTLE, f"--out={out}/scores.npz"),
            ("finetune", *words, *LITTLE, "--threads=1", f"--out={out}"),
        ]
    )


def _weight_files() -> Attempts:
    return st.builds(
        lambda command, drawn: Attempt(
            command,
            {**samples.images(), INTEGERS: samples.integers(), "weights.pth": drawn.contents},
            f"weights: {drawn.label}",
            drawn.fatal,
        ),
        _network_commands("weights.pth"),
        weights.states(),
    )


def _picture_folders() -> Attempts:
    others = {INTEGERS: samples.integers(), "weights.safetensors": samples.weights()}
    return st.builds(
        lambda command, drawn: Attempt(command, {**drawn[1], **others}, f"folder: {drawn[0]}"),
        _network_commands("weights.safetensors"),
        pictures.folders(),
    )


def _integer_files() -> Attempts:
    words = ("image", "--model", NETWORK, "--network", f"{{{INTEGERS}}}")
    damaged = st.one_of(damage.cut_up(samples.integers()), weights.states(), damage.nodes())
    return _of_file(INTEGERS, damaged, *words, "--out", f"{{{OUT}}}")


def _option(name: str, value: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[str, ...]]:
    """An option, or none."""
    given = value.map(lambda drawn: (f"--{name}={drawn}",))
    return st.one_of(st.just(()), given)


_TEXTS = st.one_of(
    st.text(st.characters(exclude_characters="\0"), max_size=12),
    st.sampled_from(["", "-", "../..", "~", "\udcff", "x" * 300, "default", "nan", "{out}"]),
)
_ANY = st.one_of(documents.NUMBERS.map(str), _TEXTS)


def _mostly(right: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """What is right, and at times anything else."""
    return st.integers(0, 5).flatmap(lambda turn: right if turn else _ANY)


def _names(*right: str) -> st.SearchStrategy[object]:
    return _mostly(st.sampled_from(right))


@st.composite
def _arguments(draw: st.DrawFn) -> Attempt:
    """Names, numbers and paths of commands that take no file."""
    model = _option("model", _names(NETWORK, "vit_digits_patch4_28", "vit_tiny"))
    config = _option("config", _names("small", "tiny", "default"))
    sparsity = _option("sparsity", _mostly(st.floats(0, 0.9)))
    schedule = _option("schedule", _names("none", "searched"))
    strategy = _option("strategy", _names("vitcod", "row_topk", "learned"))
    seed = _option("seed", _mostly(st.integers(0, 9)))
    out = _out(draw)
    fields = st.sampled_from(["lanes", "width", "max_tokens", "max_dim", "bus_bytes", "nothing"])
    setting = st.builds("{}={}".format, fields, _mostly(st.integers(0, 4096)))
    masks = (f"--model={NETWORK}", f"--out={out}.npy")
    options = {
        ("masks", *masks): [sparsity, strategy],
        ("image", f"--out={out}", f"--model={NETWORK}"): [
            config,
            sparsity,
            schedule,
            strategy,
            seed,
        ],
        ("schedule",): [model, schedule],
        ("synthetic-qkv", f"--model={NETWORK}", f"--out={out}.npz"): [
            _option("layer", _mostly(st.integers(-1, 5))),
            _option("head", _mostly(st.integers(-1, 4))),
            seed,
        ],
        ("inspect-mask", "{masks.npy}"): [
            model,
            _option("lanes", _mostly(st.integers(1, 64))),
        ],
        ("compare-vitcod", "{masks.npy}", f"--out={out}"): [config, model],
        ("rtl", "--config=tiny", f"--out={out}", "--set=lanes=3"): [
            _option("set", setting),
            _option("set", setting),
        ],
        ("sweep", "{sweep.yaml}", f"--out={out}", "--processes=1"): [
            config,
            _option("latency", _mostly(st.integers(2, 300))),
            _option("rate", _mostly(st.integers(1, 64))),
            seed,
            _option("scheduler", st.sampled_from(["tcp://", "x", "tcp://127.0.0.1:1"])),
        ],
        ("figures", "breakdown", f"--out={out}"): [
            st.just(("--rate=0",)),
            config,
            model,
        ],
    }
    command = draw(st.sampled_from(sorted(options)))
    words = [word for option in options[command] for word in draw(option)]
    files = {"masks.npy": samples.masks(), "sweep.yaml": samples.sweep(), "file": b"text"}
    files |= {node.name.lower(): node for node in Node}
    if draw(st.integers(0, 9)) == 0:
        words.append(draw(_TEXTS))
    return Attempt((*command, *words), files, "arguments")


def _out(draw: st.DrawFn) -> str:
    """Where a result shall go."""
    nodes = [f"{{{node.name.lower()}}}" for node in Node if node is not Node.FOLDER]
    right = [f"{{{OUT}}}/new", f"{{{OUT}}}/a/b/c"]
    wrong = ["{file}", "{file}/below", f"{{{OUT}}}/{'x' * 300}", f"{{{OUT}}}/\udcff", "", *nodes]
    return draw(st.sampled_from([*right * 10, *wrong]))


TARGETS: dict[str, Callable[[], Attempts]] = {
    "arguments": _arguments,
    "masks": _mask_files,
    "maps and scores": _map_files,
    "schedules": _schedule_files,
    "sweeps": _sweep_files,
    "weights": _weight_files,
    "pictures": _picture_folders,
    "calibrated": _integer_files,
}
"""What is damaged."""

"""The compiled blocks against torch in float64, member by member."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ablate.images.engine import compiler, kernels
from ablate.images.engine.kernels import BlockSpec, block, reference, unavailable_reason

LENET = [
    BlockSpec(1, 6, (5, 5), 28, 28, 2, activation="sigmoid", pool="avg", pool_window=2, pool_stride=2),
    BlockSpec(6, 16, (5, 5), 14, 14, 0, activation="sigmoid", pool="avg", pool_window=2, pool_stride=2),
    BlockSpec(1, 6, (3, 3), 28, 28, 2, activation="relu", pool="max", pool_window=2, pool_stride=2),
    BlockSpec(6, 16, (5, 5), 15, 15, 0, activation="relu", pool="max", pool_window=2, pool_stride=2),
    BlockSpec(1, 6, (4, 4), 28, 28, 2, activation="sigmoid", pool="avg", pool_window=1, pool_stride=2),
    BlockSpec(6, 16, (5, 5), 14, 14, 0, activation="sigmoid", pool="max", pool_window=1, pool_stride=2),
]
ODD = [
    BlockSpec(3, 5, (3, 2), 9, 37, 1, activation="tanh", pool="max", pool_window=3, pool_stride=2),
    BlockSpec(4, 16, (7, 3), 12, 11, 3, activation="gelu", pool="avg", pool_window=3, pool_stride=1),
    BlockSpec(2, 32, (1, 1), 6, 5, 0, activation="leaky_relu", pool="avg", pool_window=2, pool_stride=3),
    BlockSpec(9, 7, (6, 7), 13, 40, 0, stride=2, activation="identity"),
    BlockSpec(5, 33, (2, 6), 20, 17, 2, stride=3, activation="gelu", pool="max", pool_window=2, pool_stride=1),
    BlockSpec(3, 17, (1, 3), 4, 4, 4, activation="relu", pool="avg", pool_window=3, pool_stride=4),
    BlockSpec(12, 8, (5, 5), 6, 27, 2, activation="tanh", pool="avg", pool_window=2, pool_stride=3),
    BlockSpec(16, 40, (3, 3), 7, 7, 1, activation="relu"),
    BlockSpec(1, 6, (5, 5), 28, 28, 2, activation="silu", pool="max", pool_window=2, pool_stride=2),
    BlockSpec(6, 16, (5, 5), 14, 14, 0, activation="silu", pool="avg", pool_window=2, pool_stride=2),
    BlockSpec(4, 9, (3, 3), 8, 10, 1, activation="silu"),
    BlockSpec(1, 6, (5, 5), 28, 28, 2, activation="relu", pool="mixed", pool_window=2, pool_stride=2),
    BlockSpec(6, 16, (5, 5), 14, 14, 0, activation="silu", pool="mixed", pool_window=3, pool_stride=2),
    BlockSpec(7, 16, (5, 3), 11, 14, 4, stride=2, activation="sigmoid", pool="max", pool_window=2, pool_stride=2),
]


def test_this_machine_compiles_kernels():
    """Without a compiler the tests below would have nothing to test: that is a failure and not a reason to skip."""
    assert unavailable_reason(BlockSpec(1, 1, (1, 1), 2, 2)) is None


def tensors(spec: BlockSpec, members: int, batch: int, shared: bool, seed: int = 0) -> list[torch.Tensor]:
    """Return random input, weight, bias and output gradient."""
    source = torch.Generator().manual_seed(seed)
    image = (spec.in_channels, spec.height, spec.width)
    shapes = [
        (batch, *image) if shared else (members, batch, *image),
        (members, spec.out_channels, spec.in_channels, *spec.kernel),
        (members, spec.out_channels),
        (members, batch, spec.out_channels, *spec.output_size()),
    ]
    scale = (spec.in_channels * spec.kernel[0] * spec.kernel[1]) ** -0.5
    return [torch.randn(shape, generator=source) * f for shape, f in zip(shapes, (1, scale, 1, 1), strict=True)]


def run(spec: BlockSpec, x, weight, bias, grad) -> list[torch.Tensor]:
    """Return output and the gradients of input, weight and bias from the compiled block."""
    compiled = block(spec)
    assert compiled is not None, unavailable_reason(spec)
    leaves = [tensor.clone().requires_grad_() for tensor in (x, weight, bias)]
    y = compiled(*leaves)
    return [y.detach(), *torch.autograd.grad(y, leaves, grad)]


@pytest.mark.parametrize(
    ("members", "batch", "shared"), [(1, 1, True), (1, 9, False), (3, 4, True), (7, 3, False)], ids=str
)
@pytest.mark.parametrize("spec", LENET + ODD, ids=str)
def test_output_and_gradients_are_those_of_torch(spec, members, batch, shared):
    x, weight, bias, grad = tensors(spec, members, batch, shared)
    ours = run(spec, x, weight, bias, grad)
    for dtype, tolerance in ((torch.float64, 1e-5), (torch.float32, 2e-5)):
        leaves = [tensor.to(dtype).requires_grad_() for tensor in (x, weight, bias)]
        y = torch.stack(
            [reference(spec, leaves[0] if shared else leaves[0][k], leaves[1][k], leaves[2][k]) for k in range(members)]
        )
        theirs = [y.detach(), *torch.autograd.grad(y, leaves, grad.to(dtype))]
        for name, a, b in zip(("output", "input", "weight", "bias"), ours, theirs, strict=True):
            assert a.shape == b.shape
            difference = (a.to(dtype) - b).abs().max() / b.abs().max()
            assert difference < tolerance, f"{name} {dtype}: {difference:.1e}"


@pytest.mark.parametrize("spec", [*LENET[:2], ODD[0], ODD[4], ODD[6]], ids=str)
def test_a_member_does_not_depend_on_its_company(spec):
    x, weight, bias, grad = tensors(spec, 5, 4, shared=True)
    together = run(spec, x, weight, bias, grad)
    again = run(spec, x, weight, bias, grad)
    assert all(torch.equal(a, b) for a, b in zip(together, again, strict=True))
    own = run(spec, x.expand(5, *x.shape).contiguous(), weight, bias, grad)
    for k in range(5):
        alone = run(spec, x[None], weight[k : k + 1], bias[k : k + 1], grad[k : k + 1])
        for i in (0, 2, 3):
            assert torch.equal(alone[i][0], together[i][k])
        for i in range(4):
            assert torch.equal(alone[i][0], own[i][k])


@pytest.mark.parametrize("spec", [*LENET[:4], *ODD[:5], *ODD[6:]], ids=str)
@pytest.mark.parametrize("bad", [float("nan"), float("inf"), float("-inf")])
def test_a_diverged_member_harms_no_other(spec, bad):
    x, weight, bias, grad = tensors(spec, 3, 2, shared=True)
    x = x.abs() + 0.1  # so that an infinite weight reaches every output that it meets
    healthy = run(spec, x, weight, bias, grad)
    weight[1, 0, 0, spec.kernel[0] // 2, spec.kernel[1] // 2] = bad
    ill = run(spec, x, weight, bias, grad)
    leaves = [tensor.clone().requires_grad_() for tensor in (x, weight[1], bias[1])]
    y = reference(spec, *leaves)
    theirs = [y.detach(), None, *torch.autograd.grad(y, leaves[1:], grad[1])]
    for i in (0, 2, 3):
        assert torch.equal(ill[i][[0, 2]], healthy[i][[0, 2]])
    lost = (
        ill[0][1].isfinite() & ~theirs[0].isfinite()
    )  # (an infinite weight times zero padding may be NaN or left out)
    assert not lost.any()
    for i in (2, 3):
        assert theirs[i].isfinite().all() or not ill[i][1].isfinite().all()
    after = run(spec, x, torch.zeros_like(weight), bias, grad)  # nothing is left over in the scratch memory
    assert all(tensor.isfinite().all() for tensor in after)


@pytest.mark.parametrize("activation", list(kernels.ACTIVATIONS))
def test_activations_over_their_whole_range(activation):
    spec = BlockSpec(1, 1, (1, 1), 1, 1024, activation=activation)
    z = torch.cat(
        [torch.linspace(-120, 120, 500), torch.linspace(-4, 4, 519), torch.tensor([0.0, 1e-8, 3e38, -3e38, -1e-8])]
    )
    z = z.reshape(1, 1, 1, 1, -1)
    one, zero = torch.ones(1, 1, 1, 1, 1), torch.zeros(1, 1)
    y, slope, _, _ = run(spec, z, one, zero, torch.ones_like(z))
    exact = z.double().requires_grad_()
    expected = kernels.ACTIVATIONS[activation](exact)
    (expected_slope,) = torch.autograd.grad(expected.sum(), exact)
    torch.testing.assert_close(y.double(), expected.detach(), rtol=2e-6, atol=1e-6)
    torch.testing.assert_close(slope.double(), expected_slope, rtol=2e-6, atol=1e-6)


def test_without_bias_and_for_slices_of_larger_tensors():
    spec = LENET[1]
    x, weight, _, grad = tensors(spec, 2, 3, shared=False)
    wide = torch.stack([x, x], dim=-1)[..., 0].requires_grad_()  # not contiguous
    y = block(spec)(wide, weight)
    (ours,) = torch.autograd.grad(y, wide, grad)
    exact = x.double().requires_grad_()
    expected = torch.stack([reference(spec, exact[k], weight[k].double()) for k in range(2)])
    (theirs,) = torch.autograd.grad(expected, exact, grad.double())
    torch.testing.assert_close(y.double(), expected, rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(ours.double(), theirs, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    "change",
    [
        lambda x, w, b: (x[..., :-1], w, b),
        lambda x, w, b: (x[:2], w, b),
        lambda x, w, b: (x, w[:, :-1], b),
        lambda x, w, b: (x, w, b[:-1]),
        lambda x, w, b: (x.double(), w, b),
        lambda x, w, b: (x, w.to("meta"), b),
    ],
)
def test_tensors_that_do_not_fit_are_refused(change):
    with pytest.raises(ValueError, match=r"do not fit|need float32"):
        block(LENET[0])(*change(*tensors(LENET[0], 3, 2, shared=False)[:3]))


@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        (BlockSpec(1, 1, (9, 9), 28, 28), "filter"),
        (BlockSpec(1, 1, (3, 3), 28, 28, activation="swish"), "activation 'swish'"),
        (BlockSpec(1, 1, (3, 3), 28, 28, pool="avg", pool_window=4, pool_stride=4), "pool window 4"),
        (BlockSpec(1, 1, (3, 3), 28, 28, pool="lp"), "pool 'lp'"),
        (BlockSpec(1, 1, (3, 3), 28, 28, stride=9), "stride 9"),
        (BlockSpec(1, 1, (5, 5), 4, 4), "empty"),
        (BlockSpec(3, 512, (3, 3), 500, 500), "too large"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_unsupported_shapes_have_a_reason(spec, reason):
    assert block(spec) is None
    assert reason in unavailable_reason(spec)


@pytest.fixture
def fresh(monkeypatch, tmp_path):
    """Forget what is compiled and use an empty cache folder."""
    caches = (kernels._build, compiler._toolchain)
    for cache in caches:
        cache.cache_clear()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    yield tmp_path
    for cache in caches:
        cache.cache_clear()


def test_without_a_compiler(fresh, monkeypatch):
    monkeypatch.setenv("PATH", str(fresh))
    assert block(LENET[0]) is None
    assert "no C compiler" in unavailable_reason(LENET[0])


def test_with_a_compiler_that_fails(fresh, monkeypatch):
    monkeypatch.setattr(kernels, "_SOURCE", fresh / "broken.c")
    (fresh / "broken.c").write_text("#error broken on purpose\n")
    assert block(LENET[0]) is None
    assert "broken on purpose" in unavailable_reason(LENET[0])


def test_a_miscompiled_kernel_is_refused(fresh, monkeypatch):
    (name,) = (path for path in compiler._HEADERS if "a * (1.0f - a)" in path.read_text())
    source, header = kernels._SOURCE.read_text(), name.read_text()
    monkeypatch.setattr(kernels, "_SOURCE", fresh / "wrong.c")
    (fresh / "wrong.c").write_text(source)
    (fresh / name.name).write_text(header.replace("a * (1.0f - a)", "a"))
    assert block(LENET[0]) is None
    assert "differs from torch" in unavailable_reason(LENET[0])


@pytest.mark.parametrize("kept", [0, 100, 0.5, 0.9, None])
def test_a_damaged_library_is_built_again(fresh, kept):
    compiled = compiler.compile_source(kernels._SOURCE, LENET[0].macros())
    sound = compiled.read_bytes()
    if kept is None:
        damaged = b"not a library"
    else:
        damaged = sound[: kept if isinstance(kept, int) else int(kept * len(sound))]
    compiled.write_bytes(damaged)
    # In a process of its own: loading what was cut off ends a process with SIGBUS.
    code = (
        "from ablate.images.engine.kernels import *\n"
        f"spec = {LENET[0]!r}\n"
        "assert block(spec) is not None, unavailable_reason(spec)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(kernels.__file__).parents[3])
    (left,) = (fresh / "ablate" / "kernels").iterdir()
    assert hashlib.sha256(left.read_bytes()).hexdigest() in left.name


def test_a_cache_that_cannot_be_written_is_no_exception(fresh):
    (fresh / "ablate").write_text("in the way")
    assert block(LENET[0]) is None
    assert "ablate" in unavailable_reason(LENET[0])


def test_two_processes_compile_at_once(fresh):
    code = (
        "from ablate.images.engine.kernels import *\n"
        "spec = BlockSpec(2, 3, (3, 3), 8, 8, activation='relu', pool='max', pool_window=2, pool_stride=2)\n"
        "assert block(spec) is not None, unavailable_reason(spec)\n"
    )
    root = Path(kernels.__file__).parents[3]
    workers = [subprocess.Popen([sys.executable, "-c", code], cwd=root) for _ in range(2)]
    assert [worker.wait() for worker in workers] == [0, 0]
    assert [path.suffix for path in (fresh / "ablate" / "kernels").iterdir()] == [".so"]


def test_keep_freed_memory_can_be_called_anywhere():
    code = "from ablate.images.engine.kernels import keep_freed_memory; assert keep_freed_memory() in (True, False)"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(kernels.__file__).parents[3])

"""The compiled cross-entropy of all members against torch in float64."""

import pytest
import torch
import torch.nn.functional as F

from ablate.images.engine.cross_entropy import CrossEntropy, cross_entropy


def built() -> CrossEntropy:
    compiled = cross_entropy()
    assert compiled is not None
    return compiled


@pytest.mark.parametrize("smoothing", [None, (0.0, 0.1, 0.5, 0.0)])
@pytest.mark.parametrize("rows", [1, 2, 4])
@pytest.mark.parametrize("classes", [2, 10, 37])
def test_losses_gradients_and_right_answers_are_those_of_torch(classes, rows, smoothing):
    source = torch.Generator().manual_seed(classes)
    outputs = 5.0 * torch.randn(4, 9, classes, generator=source)
    outputs[:, 0] *= 30.0  # shares that vanish
    labels = torch.randint(classes, (rows, 9), generator=source)
    amounts = None if smoothing is None else torch.tensor(smoothing)
    leaf, exact = outputs.clone().requires_grad_(), outputs.double().requires_grad_()
    losses, right = built()(leaf, labels, amounts)
    own = labels.repeat_interleave(4 // rows, 0)
    wanted = torch.stack(
        [F.cross_entropy(exact[k], own[k], label_smoothing=smoothing[k] if smoothing else 0.0) for k in range(4)]
    )
    torch.testing.assert_close(losses.double(), wanted, rtol=2e-6, atol=1e-6)
    assert torch.equal(right, (outputs.argmax(-1) == own).sum(-1))
    weights = torch.tensor([1.0, 2.0, 0.0, -1.0])
    (found,) = torch.autograd.grad(losses, leaf, weights)
    (gradient,) = torch.autograd.grad(wanted, exact, weights.double())
    torch.testing.assert_close(found.double(), gradient, rtol=1e-5, atol=1e-7)


def test_what_is_no_number_stays_with_its_member_and_ties_go_to_the_first():
    outputs, labels = torch.zeros(3, 2, 4), torch.tensor([[0, 1]])
    outputs[1, 1, 2], outputs[2, 0, 3] = float("nan"), float("inf")
    losses, right = built()(outputs, labels, None)
    assert losses[0].isfinite()
    assert losses[1].isnan()
    assert not losses[2].isfinite()
    assert right.tolist() == (outputs.argmax(-1) == labels).sum(-1).tolist() == [1, 1, 0]


def test_what_does_not_fit_is_refused_and_never_read():
    outputs, labels = torch.zeros(2, 3, 4), torch.zeros(1, 3, dtype=torch.int64)
    with pytest.raises(ValueError, match="labels from 0 to 4, 4 classes"):
        built()(outputs, torch.tensor([[0, 4, 1]]), None)
    with pytest.raises(ValueError, match="labels from -1"):
        built()(outputs, labels - 1, None)
    for wrong in (labels[:, :2], labels.int(), labels.expand(3, -1)):
        with pytest.raises(ValueError, match="do not fit"):
            built()(outputs, wrong, None)
    with pytest.raises(ValueError, match="do not fit"):
        built()(outputs, labels, torch.zeros(3))

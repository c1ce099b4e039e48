from __future__ import annotations

import math

import pytest
import torch

from collapse_lab.probes import gradients
from collapse_lab.probes.gradients import Gradients, layer_groups
from collapse_lab.probes.reduction import read


def weights(**values: list[float]) -> dict[str, torch.Tensor]:
    return {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}


def with_gradients(params: dict[str, torch.Tensor], **values: list[float]) -> None:
    for name, value in values.items():
        params[name].grad = torch.tensor(value)


def test_the_norm_is_over_all_parameters_and_frozen_ones_do_not_count():
    params = weights(a=[1.0, 1.0], b=[1.0], frozen=[1.0])
    with_gradients(params, a=[3.0, 0.0], b=[4.0])
    values, _ = read(Gradients().before(params))
    assert values["optim/grad_norm"] == values["optim/grad_norm_max"] == 5


def test_norms_by_the_place_in_the_network():
    model = torch.nn.ModuleDict(
        {
            "embed": torch.nn.Embedding(5, 4),
            "layers": torch.nn.ModuleList(torch.nn.Linear(4, 4) for _ in range(6)),
            "head": torch.nn.Linear(4, 5),
        }
    )
    for number, parameter in enumerate(model.parameters()):
        parameter.grad = torch.full_like(parameter, float(number))
    values, _ = read(Gradients().before(dict(model.named_parameters())))
    # weights of 16 and biases of 4 entries: layers 0 and 1 are parameters 1 to 4
    early = math.sqrt(16 * 1 + 4 * 4 + 16 * 9 + 4 * 16)
    assert values["optim/grad_norm_early"] == pytest.approx(early)
    assert values["optim/grad_norm_input"] == 0
    parts = [values[f"optim/grad_norm_{place}"] for place in ("early", "middle", "late", "output")]
    assert math.hypot(*parts) == pytest.approx(values["optim/grad_norm"])


def test_a_shallow_network_has_no_middle():
    assert layer_groups(["h.0.w", "h.1.w"]) == {"early": [0], "middle": [1]}
    assert layer_groups(["w", "b"]) == {"input": [0, 1]}


def step(probe: Gradients, params: dict[str, torch.Tensor], *gradients: list[float]) -> list[dict]:
    """What is read at each update of one step, and at its end."""
    read_out = []
    for gradient in gradients:
        with_gradients(params, a=gradient)
        read_out.append(read(probe.before(params))[0])
    return [*read_out, read(probe.end_of_step())[0]]


def test_the_cosine_is_between_the_first_gradients_of_two_steps():
    probe, params = Gradients(), weights(a=[1.0, 1.0])
    assert "optim/grad_cosine" not in step(probe, params, [1.0, 0.0], [0.0, 7.0])[0]
    first, second, _ = step(probe, params, [1.0, 1.0], [5.0, 5.0])
    assert first["optim/grad_cosine"] == pytest.approx(math.sqrt(0.5))
    assert "optim/grad_cosine" not in second
    assert step(probe, params, [-2.0, -2.0])[0]["optim/grad_cosine"] == pytest.approx(-1)


def test_a_gradient_of_zero_has_a_norm_and_no_direction():
    probe, params = Gradients(), weights(a=[1.0])
    step(probe, params, [1.0])
    values = step(probe, params, [0.0])[0]
    assert values["optim/grad_norm"] == 0
    assert "optim/grad_cosine" not in values


def test_a_gradient_that_is_no_number_shows():
    params = weights(a=[1.0, 1.0])
    with_gradients(params, a=[math.nan, 0.0])
    assert math.isnan(read(Gradients().before(params))[0]["optim/grad_norm"])


def test_the_update_ratio_is_all_that_a_step_moved_over_the_weights_before_it():
    probe, params = Gradients(), weights(a=[3.0, 4.0])
    optimiser = torch.optim.SGD(params.values(), lr=0.5)
    for _ in range(2):
        with_gradients(params, a=[0.5, 0.0])
        probe.before(params)
        optimiser.step()
        optimiser.zero_grad()
    assert read(probe.end_of_step())[0]["optim/update_ratio"] == pytest.approx(0.1)
    assert probe.end_of_step() == {}


def test_a_large_model_is_sampled_and_what_is_kept_stays_small(monkeypatch):
    monkeypatch.setattr(gradients, "SAMPLE", 1000)
    probe = Gradients()
    torch.manual_seed(0)
    params = {"a": torch.randn(40_000, requires_grad=True), "b": torch.randn(7, requires_grad=True)}
    first, other = torch.randn(2, 40_000)
    for gradient in (first, first + other):
        params["a"].grad, params["b"].grad = gradient, torch.ones(7)
        values, _ = read(probe.before(params))
        probe.end_of_step()
    assert values["optim/grad_cosine"] == pytest.approx(math.sqrt(0.5), abs=0.05)
    kept = probe.state_dict()["direction"]
    assert len(kept) <= 1002


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16])
def test_narrow_gradients_are_measured_in_a_wider_type(kind: torch.dtype) -> None:
    probe = Gradients()
    params = {"a": torch.ones(2, dtype=kind, requires_grad=True)}
    for gradient in ([49152.0, 49152.0], [49152.0, 24576.0]):
        params["a"].grad = torch.tensor(gradient, dtype=kind)
        values, _ = read(probe.before(params))
        with torch.no_grad():
            params["a"] += torch.tensor([0.25, 0.0], dtype=kind)
        values |= read(probe.end_of_step())[0]
    # the norm, 54954, fits float16, the products in a cosine do not; the first one, 69511, neither
    assert values["optim/grad_norm"] == pytest.approx(24576 * math.sqrt(5), rel=1e-6)
    assert values["optim/grad_cosine"] == pytest.approx(3 / math.sqrt(10), rel=1e-6)
    assert values["optim/update_ratio"] == pytest.approx(0.25 / math.hypot(1.25, 1), rel=1e-6)
    params["a"].grad = torch.tensor([49152.0, 49152.0], dtype=kind)
    assert read(probe.before(params))[0]["optim/grad_norm"] == pytest.approx(69511.4, rel=1e-6)


def test_a_call_before_there_is_a_gradient_is_refused():
    with pytest.raises(ValueError, match="no parameter has a gradient"):
        Gradients().before(weights(a=[1.0]))

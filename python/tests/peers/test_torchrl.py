"""TorchRL on our environment: its checks hold, its random and its learnt policies keep to the masks."""

import numpy as np
import pytest
import thoughtcache
import torch
from tensordict.nn import TensorDictModule
from thoughtcache.torchrl import TorchRLEnv
from torchrl.collectors import Collector
from torchrl.envs import ActionMask, TransformedEnv
from torchrl.envs.utils import check_env_specs
from torchrl.modules import MLP, MaskedCategorical, ProbabilisticActor, ValueOperator
from torchrl.objectives import ClipPPOLoss
from torchrl.objectives.value import GAE

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("error")
# An episode of `tight` cut to 10 slots, some 120 decisions.
SHORT = thoughtcache.Scenario("tight", {"horizon_slots": 10})


def masked(num_envs: int, **arguments: str) -> TransformedEnv:
    return TransformedEnv(TorchRLEnv(SHORT, num_envs, **arguments), ActionMask())


def test_it_keeps_to_the_specs() -> None:
    check_env_specs(masked(3))


def test_the_masks_reach_random_actions_in_5000_calls() -> None:
    steps = masked(2, illegal_action="raise").rollout(2_500, break_when_any_done=False)
    assert steps.shape == (2, 2_500)
    assert steps["action_mask"].gather(-1, steps["action"].unsqueeze(-1)).all()
    ends = steps["next", "truncated"]
    assert ends.sum() > 30 and not steps["next", "terminated"].any() and torch.equal(ends, steps["next", "done"])
    # After an end comes the first row of the next episode, which is not the last of the one before.
    lane, at = next(((lane, at) for lane, at, _ in ends.nonzero() if at < 2_499))
    assert not torch.equal(steps["next", "observation"][lane, at], steps["observation"][lane, at + 1])


def test_the_same_actions_give_the_trajectory_of_a_vector_env() -> None:
    ours, vector = masked(2), thoughtcache.VectorEnv(SHORT, 2)
    ours.set_seed(7)
    steps = ours.rollout(80)
    vector.reset(seed=7)
    for at in range(80):
        rows, rewards, _, _, _ = vector.step(steps["action"][:, at].numpy())
        assert np.array_equal(rows, steps["next", "observation"][:, at].numpy())
        assert np.array_equal(rewards.astype(np.float32), steps["next", "reward"][:, at, 0].numpy())
    assert ours.base_env.envs.trajectory_hash == vector.trajectory_hash


def test_an_illegal_action_is_replaced_or_raises() -> None:
    for what in ("replace", "raise"):
        env = TorchRLEnv(SHORT, 2, illegal_action=what)
        step = env.reset()
        step["action"] = (~step["action_mask"]).int().argmax(dim=-1)
        if what == "replace":
            assert env.step(step)["next", "replaced_action"].all()
        else:
            with pytest.raises(ValueError, match="illegal"):
                env.step(step)


def test_one_update_of_ppo_with_masks() -> None:
    torch.manual_seed(1)
    env = masked(4, illegal_action="raise")
    num_actions = env.action_spec.n
    scores = TensorDictModule(MLP(in_features=191, out_features=num_actions, num_cells=[32]), in_keys=["observation"], out_keys=["logits"])
    actor = ProbabilisticActor(
        scores, in_keys={"logits": "logits", "mask": "action_mask"}, distribution_class=MaskedCategorical, return_log_prob=True
    )
    critic = ValueOperator(MLP(in_features=191, out_features=1, num_cells=[32]), in_keys=["observation"])
    loss = ClipPPOLoss(actor, critic, entropy_bonus=False)
    advantage = GAE(gamma=0.99, lmbda=0.95, value_network=critic)
    optimiser = torch.optim.Adam(loss.parameters(), lr=1e-3)
    before = [weights.clone() for weights in loss.parameters()]
    for batch in Collector(env, actor, frames_per_batch=512, total_frames=512, auto_register_policy_transforms=True):
        advantage(batch)
        losses = loss(batch.reshape(-1))
        sum(value for name, value in losses.items() if name.startswith("loss_")).backward()
        optimiser.step()
        assert not batch["next", "replaced_action"].any()
    assert any(not torch.equal(old, new) for old, new in zip(before, loss.parameters(), strict=True))

"""PPO with action masks in one file, in the manner of CleanRL: read it from top to bottom, change what you like.

    pip install thoughtcache torch
    python cleanrl_ppo.py --decisions 200000

The environments run in the next-step mode: the step after an end begins the next episode, whatever the action is. Such a step is no
decision: it is left out of the losses. Episodes are truncated, never terminated, so the value of their last observation counts.
"""

import argparse
import os
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")  # so small a network is faster in one thread; PyTorch reads it when it is imported

import numpy as np
import thoughtcache
import torch
from torch import nn
from torch.distributions import Categorical


def arguments() -> argparse.Namespace:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("--scenario", default="tight", help="a shipped name or a TOML file")
    asked.add_argument("--seed", type=int, default=1, help="seed of the episodes, the network and its decisions")
    asked.add_argument("--decisions", type=int, default=200_000, help="steps of all environments together")
    asked.add_argument("--num-envs", type=int, default=32, help="environments that are stepped together")
    asked.add_argument("--num-steps", type=int, default=128, help="steps of each environment an update")
    asked.add_argument("--num-epochs", type=int, default=4, help="passes over the steps of an update")
    asked.add_argument("--batch-size", type=int, default=512, help="steps a gradient")
    asked.add_argument("--learning-rate", type=float, default=6e-4, help="at first; it falls to 0 over the budget")
    asked.add_argument("--gamma", type=float, default=0.9, help="discount a slot, of several decisions")
    asked.add_argument("--gae-lambda", type=float, default=0.95, help="trace decay a decision")
    asked.add_argument("--clip-range", type=float, default=0.2, help="by which the ratio of probabilities may leave 1")
    asked.add_argument("--ent-coef", type=float, default=0.003, help="weight of the entropy")
    asked.add_argument("--vf-coef", type=float, default=0.5, help="weight of the loss of the values")
    asked.add_argument("--max-grad-norm", type=float, default=0.5, help="longest gradient")
    asked.add_argument("--reward-scale", type=float, default=3.0, help="rewards, of some hundredths on `tight`, are multiplied by it")
    asked.add_argument("--episodes", type=int, default=40, help="test episodes of the comparison")
    return asked.parse_args()


def layer(inputs: int, outputs: int, gain: float = 2**0.5) -> nn.Linear:
    linear = nn.Linear(inputs, outputs)
    nn.init.orthogonal_(linear.weight, gain)
    nn.init.zeros_(linear.bias)
    return linear


class Agent(nn.Module):
    def __init__(self, num_entries: int, num_actions: int, width: int = 128) -> None:
        super().__init__()
        trunk = lambda: [layer(num_entries, width), nn.Tanh(), layer(width, width), nn.Tanh()]  # noqa: E731
        self.actor = nn.Sequential(*trunk(), layer(width, num_actions, 0.01))
        self.critic = nn.Sequential(*trunk(), layer(width, 1, 1.0))

    def value(self, rows: torch.Tensor) -> torch.Tensor:
        return self.critic(rows).squeeze(-1)

    def choices(self, rows: torch.Tensor, masks: torch.Tensor) -> Categorical:
        """The distribution over legal actions: an illegal one has probability 0."""
        logits = self.actor(rows)
        return Categorical(logits=logits.masked_fill(~masks, torch.finfo(logits.dtype).min))


def train(given: argparse.Namespace) -> Agent:
    torch.manual_seed(given.seed)
    draws = np.random.default_rng(given.seed)
    envs = thoughtcache.VectorEnv(given.scenario, given.num_envs)
    num_entries, num_actions = len(envs.scenario.entries), len(envs.scenario.actions)
    agent = Agent(num_entries, num_actions)
    optimiser = torch.optim.Adam(agent.parameters(), lr=given.learning_rate, eps=1e-5)

    # Storage: what each step saw, did and got.
    shape = (given.num_steps, given.num_envs)
    rows = torch.zeros((*shape, num_entries))
    masks = torch.zeros((*shape, num_actions), dtype=torch.bool)
    actions = torch.zeros(shape, dtype=torch.int64)
    log_probs, rewards, discounts, values = (torch.zeros(shape) for _ in range(4))
    ends, begins = (torch.zeros(shape, dtype=torch.bool) for _ in range(2))

    observation, infos = envs.reset(seed=given.seed)
    row, mask = torch.from_numpy(observation), torch.from_numpy(infos["action_mask"].view(np.bool_))
    has_ended = torch.zeros(given.num_envs, dtype=torch.bool)
    num_updates = max(given.decisions // rows[..., 0].numel(), 1)
    costs: list[float] = []
    for update in range(num_updates):
        optimiser.param_groups[0]["lr"] = given.learning_rate * (1 - update / num_updates)

        # Collect.
        for step in range(given.num_steps):
            rows[step], masks[step], begins[step] = row, mask, has_ended
            with torch.no_grad():
                choices = agent.choices(row, mask)
                actions[step] = choices.sample()
                log_probs[step], values[step] = choices.log_prob(actions[step]), agent.value(row)
            observation, reward, _, truncated, infos = envs.step(actions[step].numpy())
            assert not infos["replaced_action"].any(), "the mask lets illegal actions pass"
            row, mask = torch.from_numpy(observation), torch.from_numpy(infos["action_mask"].view(np.bool_))
            has_ended = torch.from_numpy(truncated)
            rewards[step] = torch.from_numpy(reward) * given.reward_scale
            discounts[step] = given.gamma ** torch.from_numpy(infos["slots_elapsed"].astype(np.float32))
            ends[step] = has_ended
            if truncated.any():
                costs += infos["statistics"]["cost_per_slot"][truncated].tolist()

        # Advantages: the row after an end is the last one of the episode, so its value counts; beyond it nothing is known.
        with torch.no_grad():
            next_values, advantage = agent.value(row), torch.zeros(given.num_envs)
            advantages = torch.zeros(shape)
            for step in reversed(range(given.num_steps)):
                error = rewards[step] + discounts[step] * next_values - values[step]
                advantage = error + discounts[step] * given.gae_lambda * advantage * ~ends[step]
                advantages[step], next_values = advantage, values[step]
            returns = advantages + values

        # Learn from the steps that were decisions.
        kept = (~begins).flatten().nonzero().squeeze(-1).numpy()
        flat = [entry.flatten(0, 1) for entry in (rows, masks, actions, log_probs, advantages, returns)]
        for _ in range(given.num_epochs):
            for batch in np.array_split(draws.permutation(kept), max(len(kept) // given.batch_size, 1)):
                some_rows, some_masks, some_actions, old, advantage, target = (entry[batch] for entry in flat)
                choices = agent.choices(some_rows, some_masks)
                advantage = (advantage - advantage.mean()) / (advantage.std() + 1e-8)
                ratio = (choices.log_prob(some_actions) - old).exp()
                clipped = ratio.clamp(1 - given.clip_range, 1 + given.clip_range)
                policy_loss = -torch.min(ratio * advantage, clipped * advantage).mean()
                value_loss = (agent.value(some_rows) - target).square().mean() / 2
                loss = policy_loss - given.ent_coef * choices.entropy().mean() + given.vf_coef * value_loss
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_(agent.parameters(), given.max_grad_norm)
                optimiser.step()
        if update % 10 == 9 and costs:
            print(f"{(update + 1) * rows[..., 0].numel():>9} decisions: cost per slot {np.mean(costs[-100:]):.4g}")
    return agent


def main() -> None:
    given = arguments()
    began, busy = time.perf_counter(), time.process_time()
    agent = train(given)
    print(f"trained in {time.perf_counter() - began:.0f} s, of the processor {time.process_time() - busy:.0f} s")

    def learnt(observation: np.ndarray, action_mask: np.ndarray) -> int:
        with torch.no_grad():
            return int(agent.choices(torch.from_numpy(observation), torch.from_numpy(action_mask.view(np.bool_))).logits.argmax())

    if given.episodes:
        print(thoughtcache.compare([learnt], given.scenario, episodes=given.episodes))


if __name__ == "__main__":
    main()

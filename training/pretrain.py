"""Masked language modelling from our own initialisation: the encoder that Fenban ships.

    fenban pretrain --recipe training/recipes/pretrain_cpu.yaml --out work/encoder
    accelerate launch -m training.pretrain training/recipes/pretrain_gpu.yaml work/encoder

The order of the data and the masks depend on ``seed`` and the step alone, so a run that was killed
and started again with the same arguments continues from its last checkpoint as if nothing had been.
Every step draws full blocks, so there is no padding and the loss sees masked positions only.
"""

from __future__ import annotations

import json
import math
import sys
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from accelerate import Accelerator
from accelerate.utils import set_seed
from torch.nn.functional import cross_entropy
from transformers import AutoTokenizer, ModernBertForMaskedLM, PreTrainedTokenizerFast

from models.precision import bf16_is_faster
from training.corpus import Corpus, TokenStream, encode_corpus, mask_whole_words, read_block
from training.encoder import make_optimizers, new_encoder
from training.vocab import build_tokenizer, count_characters, save_tokenizer


@dataclass(frozen=True)
class Phase:
    """A stretch of training with one block length: ``steps`` of ``batch`` blocks of ``length`` tokens."""

    steps: int
    length: int
    batch: int


@dataclass(frozen=True)
class PretrainArguments:
    """A pretraining recipe.

    Attributes:
        corpora: sources and their shares; see ``Corpus``.
        phases: block lengths, short first (Devlin et al. 2019).
        layers, width, heads: size of the encoder (``training.encoder``).
        min_count: characters rarer than this in the corpora become ``[UNK]``.
        mask_rate: share of the tokens that are predicted.
        learning_rate: peak of Muon and AdamW, linear warm-up over ``warmup`` of the steps, then linear to zero.
        checkpoint_every: steps between checkpoints.
        precision: ``bf16``, ``no`` (fp32), or ``auto``: bf16 where this machine multiplies it faster.
        seed: of initialisation, data order and masks.
    """

    corpora: tuple[Corpus, ...]
    phases: tuple[Phase, ...]
    layers: int = 4
    width: int = 256
    heads: int = 4
    min_count: int = 20
    mask_rate: float = 0.2
    learning_rate: float = 1e-3
    warmup: float = 0.04
    weight_decay: float = 0.01
    checkpoint_every: int = 500
    log_every: int = 50
    precision: str = "auto"
    seed: int = 20261124
    notes: str = field(default="")

    def __post_init__(self) -> None:
        if self.precision not in ("auto", "bf16", "no"):
            raise ValueError(f"precision must be 'auto', 'bf16' or 'no', not {self.precision!r}")
        if self.width % self.heads:
            raise ValueError(f"width {self.width} is not a multiple of heads {self.heads}")
        if not self.corpora or not self.phases:
            raise ValueError("a recipe needs at least one corpus and one phase")

    @property
    def total_steps(self) -> int:
        return sum(phase.steps for phase in self.phases)

    @classmethod
    def from_yaml(cls, path: Path) -> PretrainArguments:
        """Read a recipe; corpus paths are relative to the recipe's folder."""
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
        corpora = tuple(
            Corpus((path.parent / c["path"]).resolve(), c["weight"], tuple(c.get("fields", ())), c.get("where", {}))
            for c in raw.pop("corpora")
        )
        phases = tuple(Phase(**p) for p in raw.pop("phases"))
        return cls(corpora=corpora, phases=phases, **raw)


def pretrain(args: PretrainArguments, out: Path) -> dict[str, float]:
    """Train the encoder and write it, its tokenizer and ``pretrain.json`` into ``out``.

    Returns:
        Final smoothed loss, tokens seen, and seconds of this process.
    """
    accelerator = Accelerator(mixed_precision=_precision(args))
    set_seed(args.seed)
    tokenizer = _tokenizer(args, out, accelerator)
    streams = [encode_corpus(c, tokenizer, out / "cache") for c in args.corpora]
    model = new_encoder(tokenizer, layers=args.layers, width=args.width, heads=args.heads)
    optimizers = make_optimizers(model, learning_rate=args.learning_rate, weight_decay=args.weight_decay)
    schedulers = [torch.optim.lr_scheduler.LambdaLR(o, lambda step: _rate(args, step)) for o in optimizers]
    model, *optimizers = accelerator.prepare(model, *optimizers)
    progress = _resume(model, optimizers, schedulers, out / "checkpoint.pt", accelerator)
    began, tokens_here = time.perf_counter(), 0
    model.train()
    while progress["step"] < args.total_steps:
        step = int(progress["step"])
        inputs, chosen, labels = _batch(args, streams, tokenizer, step, accelerator)
        with accelerator.autocast():
            loss = masked_loss(model, inputs, chosen, labels)
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
        for part in (*optimizers, *schedulers):
            part.step()
        model.zero_grad()
        tokens_here += inputs.numel() * accelerator.num_processes
        value = float(loss.detach())
        if not math.isfinite(value):
            raise RuntimeError(f"loss is {value} at step {step}: lower learning_rate in the recipe")
        progress["loss"] = value if step == 0 else 0.99 * progress["loss"] + 0.01 * value
        progress["tokens"] += inputs.numel() * accelerator.num_processes
        progress["step"] = step + 1
        if progress["step"] % args.log_every == 0 and accelerator.is_main_process:
            speed = tokens_here / (time.perf_counter() - began)
            print(
                f"step {step + 1}/{args.total_steps} loss {progress['loss']:.3f} {speed:,.0f} tokens/s "
                f"lr {schedulers[0].get_last_lr()[0]:.2e}",
                flush=True,
            )
        if progress["step"] % args.checkpoint_every == 0 or progress["step"] == args.total_steps:
            _checkpoint(model, optimizers, schedulers, progress, out, accelerator)
    seconds = time.perf_counter() - began
    if accelerator.is_main_process:
        _write(accelerator.unwrap_model(model), tokenizer, args, progress, out)
    return {"loss": progress["loss"], "tokens": progress["tokens"], "seconds": seconds}


def masked_loss(
    model: torch.nn.Module, inputs: torch.Tensor, chosen: torch.Tensor, labels: torch.Tensor
) -> torch.Tensor:
    """Cross entropy at the chosen positions; the vocabulary projection runs on those alone.

    Shapes: ``inputs`` and ``chosen`` ``(batch, length)``, ``labels`` ``(n_chosen,)``.
    """
    core: Any = model.module if hasattr(model, "module") else model
    hidden = core.model(input_ids=inputs).last_hidden_state
    return cross_entropy(core.decoder(core.head(hidden[chosen])).float(), labels)


def _tokenizer(args: PretrainArguments, out: Path, accelerator: Accelerator) -> PreTrainedTokenizerFast:
    if accelerator.is_main_process and not (out / "tokenizer.json").exists():
        counts = count_characters(text for corpus in args.corpora for text in corpus.documents())
        save_tokenizer(build_tokenizer(counts, min_count=args.min_count), out)
    accelerator.wait_for_everyone()
    return AutoTokenizer.from_pretrained(out)


def _precision(args: PretrainArguments) -> str:
    if args.precision != "auto":
        return args.precision
    return "bf16" if bf16_is_faster(torch.device("cuda" if torch.cuda.is_available() else "cpu")) else "no"


def _rate(args: PretrainArguments, step: int) -> float:
    warm = max(1, round(args.warmup * args.total_steps))
    if step < warm:
        return (step + 1) / warm
    return max(0.0, (args.total_steps - step) / max(1, args.total_steps - warm))


def _phase(args: PretrainArguments, step: int) -> Phase:
    for phase in args.phases:
        if step < phase.steps:
            return phase
        step -= phase.steps
    return args.phases[-1]


def _batch(
    args: PretrainArguments,
    streams: list[TokenStream],
    tokenizer: PreTrainedTokenizerFast,
    step: int,
    accelerator: Accelerator,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Blocks of ``[CLS] text [SEP]`` for this step and process, masked; a pure function of the seed."""
    phase = _phase(args, step)
    rng = np.random.default_rng((args.seed, step, accelerator.process_index))
    weights = np.array([c.weight for c in args.corpora])
    picks = rng.choice(len(streams), size=phase.batch // accelerator.num_processes, p=weights / weights.sum())
    special = frozenset(tokenizer.all_special_ids)
    rows, masks, targets = [], [], []
    for pick in picks:
        ids, starts = read_block(streams[pick], rng, phase.length - 2)
        corrupted, chosen = mask_whole_words(
            ids,
            starts,
            rng,
            mask_id=tokenizer.mask_token_id,
            special_ids=special,
            vocab_size=len(tokenizer),
            rate=args.mask_rate,
        )
        rows.append([tokenizer.cls_token_id, *corrupted, tokenizer.sep_token_id])
        masks.append([False, *chosen, False])
        targets.append(ids[chosen])
    device = accelerator.device
    return (
        torch.tensor(np.array(rows), device=device),
        torch.tensor(np.array(masks), device=device),
        torch.tensor(np.concatenate(targets), device=device),
    )


def _checkpoint(
    model: Any,
    optimizers: list[Any],
    schedulers: list[Any],
    progress: dict[str, float],
    out: Path,
    accelerator: Accelerator,
) -> None:
    if not accelerator.is_main_process:
        return
    state = {
        "model": accelerator.unwrap_model(model).state_dict(),
        "optimizers": [part.state_dict() for part in optimizers],
        "schedulers": [part.state_dict() for part in schedulers],
        "progress": progress,
    }
    partial = out / "checkpoint.pt.partial"
    torch.save(state, partial)
    partial.replace(out / "checkpoint.pt")


def _resume(
    model: Any, optimizers: list[Any], schedulers: list[Any], path: Path, accelerator: Accelerator
) -> dict[str, float]:
    if not path.exists():
        return {"step": 0, "loss": 0.0, "tokens": 0}
    state = torch.load(path, map_location=accelerator.device, weights_only=True)
    accelerator.unwrap_model(model).load_state_dict(state["model"])
    for part, stored in zip((*optimizers, *schedulers), (*state["optimizers"], *state["schedulers"]), strict=True):
        part.load_state_dict(stored)
    progress: dict[str, float] = state["progress"]
    return progress


def _write(
    model: ModernBertForMaskedLM,
    tokenizer: PreTrainedTokenizerFast,
    args: PretrainArguments,
    progress: dict[str, float],
    out: Path,
) -> None:
    model.model.save_pretrained(out)
    save_tokenizer(tokenizer, out)
    record = {**asdict(args), **progress, "vocabulary": len(tokenizer), "parameters": model.model.num_parameters()}
    record["corpora"] = [
        {"file": c.path.name, "weight": c.weight, "fields": c.fields, "where": c.where} for c in args.corpora
    ]
    (out / "pretrain.json").write_text(json.dumps(record, ensure_ascii=False, indent=2, default=str), encoding="utf-8")


if __name__ == "__main__":
    print(json.dumps(pretrain(PretrainArguments.from_yaml(Path(sys.argv[1])), Path(sys.argv[2]))))

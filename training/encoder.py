"""The encoder that Fenban pretrains itself, and the optimisers that suit it.

ModernBERT (Warner et al. 2024) at a small size: pre-norm and rotary positions let a short run leave the
plateau at which a post-norm BERT of the same size stayed (docs/decisions/0004-encoder.md). Hidden matrices
are optimised with Muon (Jordan et al. 2024), everything else with AdamW.
"""

from __future__ import annotations

import torch
from transformers import ModernBertConfig, ModernBertForMaskedLM, PreTrainedTokenizerFast


def new_encoder(tokenizer: PreTrainedTokenizerFast, *, layers: int, width: int, heads: int) -> ModernBertForMaskedLM:
    """An untrained encoder with a masked-language-model head; every layer attends globally."""
    config = ModernBertConfig(
        vocab_size=len(tokenizer),
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=round(width * 8 / 3 / 32) * 32,
        max_position_embeddings=512,
        global_attn_every_n_layers=1,
        pad_token_id=tokenizer.pad_token_id,
        cls_token_id=tokenizer.cls_token_id,
        sep_token_id=tokenizer.sep_token_id,
        bos_token_id=tokenizer.cls_token_id,
        eos_token_id=tokenizer.sep_token_id,
        attn_implementation="sdpa",
    )
    return ModernBertForMaskedLM(config)


def make_optimizers(
    model: ModernBertForMaskedLM, *, learning_rate: float, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """Muon for the matrices of the hidden layers, AdamW for embeddings, norms, biases and the output head.

    Muon's step is scaled to AdamW's root mean square (Liu et al. 2025), so one learning rate serves both.
    """
    hidden = [p for name, p in model.named_parameters() if p.dim() == 2 and ".layers." in name]
    chosen = {id(p) for p in hidden}
    rest = [p for p in model.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(hidden, lr=learning_rate, weight_decay=weight_decay, adjust_lr_fn="match_rms_adamw"),
        torch.optim.AdamW(
            [
                {"params": [p for p in rest if p.dim() > 1], "weight_decay": weight_decay},
                {"params": [p for p in rest if p.dim() <= 1], "weight_decay": 0.0},
            ],
            lr=learning_rate,
            betas=(0.9, 0.98),
        ),
    ]

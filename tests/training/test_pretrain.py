"""Pretraining: whole words are masked, and a run that was cut goes on as if it had not been."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from accelerate.state import AcceleratorState
from safetensors.numpy import load_file

from training.corpus import Corpus, mask_whole_words
from training.finetune import DATA
from training.pretrain import Phase, PretrainArguments, pretrain


def test_a_word_is_masked_whole_or_not_at_all() -> None:
    ids = np.arange(10, 40)
    starts = np.arange(30) % 3 == 0
    _, chosen = mask_whole_words(
        ids, starts, np.random.default_rng(0), mask_id=4, special_ids=frozenset({0, 4}), vocab_size=50
    )
    assert chosen.reshape(10, 3).all(axis=1).tolist() == chosen.reshape(10, 3).any(axis=1).tolist()
    assert 4 <= chosen.sum() <= 8


@pytest.fixture(autouse=True)
def _fresh_accelerator() -> None:
    """Accelerate keeps one precision per process; a Trainer of another test may have chosen its own."""
    AcceleratorState._reset_state(reset_partial_state=True)


def test_a_killed_run_resumes_to_the_same_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    args = PretrainArguments(
        corpora=(Corpus(DATA / "authored.jsonl", 1.0, ("title", "body")),),
        phases=(Phase(steps=6, length=32, batch=4),),
        layers=1, width=32, heads=2, checkpoint_every=3, log_every=100, precision="no",
    )  # fmt: skip
    pretrain(args, tmp_path / "whole")

    import training.pretrain as module

    batch = module._batch

    def stop_at_four(arguments, streams, tokenizer, step, accelerator):
        if step == 4:
            raise KeyboardInterrupt
        return batch(arguments, streams, tokenizer, step, accelerator)

    monkeypatch.setattr(module, "_batch", stop_at_four)
    with pytest.raises(KeyboardInterrupt):
        pretrain(args, tmp_path / "cut")
    monkeypatch.setattr(module, "_batch", batch)
    pretrain(replace(args), tmp_path / "cut")
    whole, cut = (load_file(tmp_path / run / "model.safetensors") for run in ("whole", "cut"))
    for name, weights in whole.items():
        np.testing.assert_allclose(weights, cut[name], rtol=1e-5, atol=1e-6)

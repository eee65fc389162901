"""Of more n-grams than fit, those that tell the labels apart are kept; the folded model says what was fitted."""

import numpy as np
import torch

from models.batching import collate_ngrams
from models.classifier import FenbanClassifier, FenbanConfig
from models.features import letter_features, segment, word_hashes
from training.linear import Wide, fit_wide, fold_in

HEADS = {"topic": ["lamp", "school", "never"], "urgency": ["now", "later"]}
FILLER = "尊敬的领导您好我想反映一个问题请尽快处理谢谢"


def fitted(max_size: int) -> tuple[Wide, list[tuple[str, str]]]:
    """Letters of which most n-grams say nothing; the topic is told by one word, the urgency by another."""
    letters, labels = [], []
    for i in range(80):
        lamp, now = i % 2 == 0, i % 3 == 0
        letters.append(("反映", f"{FILLER}{'路灯' if lamp else '学校'}{'现在' if now else '以前'}{FILLER[i % 9 :]}"))
        labels.append((0 if lamp else 1, 0 if now else 1))
    features = [letter_features(*letter) for letter in letters]
    return fit_wide(features, np.array(labels), HEADS, min_count=2, max_size=max_size, seed=0), letters


def test_the_ngrams_that_move_the_margins_are_kept_not_the_commonest() -> None:
    wide, _ = fitted(24)
    assert wide.vocabulary.n_ngrams == 24
    telling = word_hashes(segment("路灯学校现在以前"))
    assert len(telling) == 4
    said = [wide.logits([letter_features("", text)]) for text in ("路灯现在", "学校以前", "路灯以前")]
    assert [(int(s["topic"].argmax()), int(s["urgency"].argmax())) for s in said] == [(0, 0), (1, 1), (0, 1)]


def test_the_folded_model_gives_the_margins_of_the_svms_with_the_hidden_layer() -> None:
    wide, letters = fitted(500)
    assert wide.hidden is not None
    config = FenbanConfig(heads=HEADS, vocabulary_size=len(wide.vocabulary), hidden_size=len(wide.hidden.bias))
    model = FenbanClassifier(config).eval()
    fold_in(model, wide)
    with torch.inference_mode():
        found = model(**collate_ngrams(wide.vocabulary.batch(letters[:9]))).logits
    for head, scores in wide.logits([letter_features(*letter) for letter in letters[:9]]).items():
        np.testing.assert_allclose(found[head].numpy(), scores, atol=1e-4)
    assert (found["topic"][:, 2] < found["topic"][:, :2].amin(dim=1)).all(), "a class without a letter never wins"

"""Build the character-level WordPiece vocabulary of the shipped encoder.

Every CJK character is a token of its own (BERT's Chinese convention); Latin letters and digits are
pieces, so that nothing but rare characters becomes ``[UNK]``. Run by ``fenban pretrain`` when the
recipe names no vocabulary.
"""

from __future__ import annotations

import string
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors
from transformers import PreTrainedTokenizerFast

SPECIAL_TOKENS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")


def count_characters(texts: Iterable[str]) -> Counter[str]:
    """Count every non-space character of NFKC-lowercased texts."""
    normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(normalizer.normalize_str(text))
    for space in [c for c in counts if c.isspace()]:
        del counts[space]
    return counts


def build_tokenizer(counts: Counter[str], *, min_count: int = 20) -> PreTrainedTokenizerFast:
    """Make a character-level WordPiece tokenizer.

    Args:
        counts: character frequencies of the pretraining corpora.
        min_count: rarer characters become ``[UNK]``.

    Returns:
        A fast tokenizer with ids 0-4 for ``SPECIAL_TOKENS`` and BERT's ``[CLS] … [SEP]`` template.
    """
    kept = [c for c, n in sorted(counts.items(), key=lambda item: (-item[1], item[0])) if n >= min_count]
    latin = list(string.ascii_lowercase + string.digits)
    pieces = list(dict.fromkeys([*SPECIAL_TOKENS, *latin, *kept]))
    pieces += [f"##{c}" for c in latin]
    backend = Tokenizer(
        models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]", max_input_chars_per_word=200)
    )
    backend.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.BertNormalizer(clean_text=True, handle_chinese_chars=True, strip_accents=False, lowercase=True),
        ]
    )
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    ids = {token: i for i, token in enumerate(SPECIAL_TOKENS)}
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", ids["[CLS]"]), ("[SEP]", ids["[SEP]"])],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=backend,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
        model_max_length=512,
    )


def save_tokenizer(tokenizer: PreTrainedTokenizerFast, folder: Path) -> None:
    """Write ``tokenizer.json`` and its config into ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save_pretrained(folder)

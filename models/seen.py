"""Which letters a bundle has seen: truncated, salted hashes of its training letters and of its fixed test split.

    write_seen(folder, train_cases, test_cases)      # before the bundle is sealed
    Seen.load(folder).count(cases)

No text is kept. A hash has 48 bits, so that it cannot be turned back into a letter, and a million
letters against a million hashes meet by chance 0.004 times. The salt comes from the training letters:
the same letters give the same bundle, and two bundles cannot be joined on their hashes.

This falls down when a letter was reworded: ``training.leaks`` finds near-duplicates, given the letters.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from models.case import Letter
from models.features import normalize

SEEN = "seen.safetensors"
MIN_BODY = 20
"""A body of at least so many letters and digits is recognised under any title."""
_BITS = 48


@dataclass(frozen=True)
class Seen:
    """Hashes of what a bundle was trained on (``train``) and must be judged on (``test``), sorted, ``(n,)``.

    ``known`` is false for a bundle that carries no such file: then nothing can be said.
    """

    known: bool
    salt: str
    train: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]

    @classmethod
    def load(cls, folder: Path) -> Seen:
        """Read the hashes of a bundle folder; ``known`` is false where the file is missing.

        Raises:
            ValueError: the file is damaged; names it.
        """
        path = folder / SEEN
        if not path.is_file():
            return cls(False, "", np.empty(0, np.int64), np.empty(0, np.int64))
        try:
            with safe_open(path, framework="np") as file:
                return cls(True, file.metadata()["salt"], file.get_tensor("train"), file.get_tensor("test"))
        except (SafetensorError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: cannot be read ({type(error).__name__}); copy the bundle again") from None

    def in_train(self, letters: Sequence[Letter]) -> npt.NDArray[np.bool_]:
        """Whether each letter was trained on, ``(n,)``; all false where nothing is known."""
        return np.isin(hash_letters(letters, self.salt), self.train)

    def in_test(self, letters: Sequence[Letter]) -> npt.NDArray[np.bool_]:
        """Whether each letter belongs to the recorded test split, ``(n,)``."""
        return np.isin(hash_letters(letters, self.salt), self.test)


def write_seen(folder: Path, train: Sequence[Letter], test: Sequence[Letter] = ()) -> None:
    """Record in ``folder`` what a bundle was trained on and the test split that was held back from it.

    Raises:
        ValueError: a letter is on both sides; the split leaks.
    """
    salt = hashlib.sha256("\0".join(sorted(_key(letter) for letter in train)).encode()).hexdigest()[:16]
    hashes = {name: np.unique(hash_letters(cases, salt)) for name, cases in (("train", train), ("test", test))}
    shared = len(np.intersect1d(hashes["train"], hashes["test"]))
    if shared:
        raise ValueError(f"{shared} letters are both in the training and in the test split; split again by group")
    save_file(hashes, folder / SEEN, metadata={"salt": salt})


def hash_letters(letters: Iterable[Letter], salt: str) -> npt.NDArray[np.int64]:
    """48-bit salted hash of each letter's normalised text, int64 ``(n,)``."""
    return np.array([_hash(letter, salt) for letter in letters], dtype=np.int64)


def _hash(letter: Letter, salt: str) -> int:
    digest = hashlib.blake2b(_key(letter).encode(), digest_size=_BITS // 8, key=salt.encode()).digest()
    return int.from_bytes(digest, "big")


def _key(letter: Letter) -> str:
    """Letters and digits of the body, or of title and body where the body is short."""
    body = "".join(filter(str.isalnum, normalize(letter.body)))
    if len(body) >= MIN_BODY:
        return body
    return "".join(filter(str.isalnum, normalize(letter.title))) + body

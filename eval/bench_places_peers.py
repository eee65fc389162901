"""What others would do with the same names and letters: each peer maps a letter to a unit, or to ``None``."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterator
from typing import Any

import jieba

from models.case import Letter
from models.places.gazetteer import Gazetteer
from models.taxonomy import Taxonomy

Peer = Callable[[Letter], str | None]


def peers(gazetteer: Gazetteer, taxonomy: Taxonomy) -> Iterator[tuple[str, Peer]]:
    """Name and function of each peer; JioNLP only where it is installed, and it is said where it is not."""
    yield "first district named", first_district(taxonomy)
    yield "jieba with a user dictionary, first place found", jieba_first(gazetteer)
    try:
        jionlp = importlib.import_module("jionlp")
    except ImportError as error:
        print(f"JioNLP is not installed and was not run ({error})")
        return
    yield "JioNLP parse_location", parse_location(jionlp, taxonomy)


def first_district(taxonomy: Taxonomy) -> Peer:
    """The unit whose full or short name comes first."""
    names = {
        name: u.id for u in taxonomy.units for name in (u.name, u.name.removeprefix("成都").removeprefix("四川")[:-1])
    }
    names |= {"高新区": "510172", "天府新区": "510171", "东部新区": "510173"}
    names = {name: unit for name, unit in names.items() if len(name) > 1}

    def answer(letter: Letter) -> str | None:
        text = f"{letter.title}\n{letter.body}"
        places = [(text.find(name), -len(name), unit) for name, unit in names.items() if name in text]
        return min(places)[2] if places else None

    return answer


def jieba_first(gazetteer: Gazetteer) -> Peer:
    """The first word of jieba's cut that is a name of our gazetteer with one owner; the same names, no context."""
    tokenizer = jieba.Tokenizer()
    for name in gazetteer.names:
        if len(name) >= 2:
            tokenizer.add_word(name)

    def answer(letter: Letter) -> str | None:
        for word in tokenizer.cut(f"{letter.title}\n{letter.body}"):
            place = gazetteer.get(word) if len(word) >= 2 else None
            if place is not None and len(place.owners) == 1:
                return place.units[0]
        return None

    return answer


def parse_location(jionlp: Any, taxonomy: Taxonomy) -> Peer:
    """The county of JioNLP's reading, if it is one of ours."""

    def answer(letter: Letter) -> str | None:
        found = jionlp.parse_location(f"{letter.title}\n{letter.body}", town_village=True)
        return taxonomy.unit_code(found.get("county") or "") if found.get("city") == "成都市" else None

    return answer

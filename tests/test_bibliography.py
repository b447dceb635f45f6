"""The bibliography: every entry is read, whole, and can be cited."""

import re

import pytest

from explainers.bibliography import FILE, cite, papers, parse
from explainers.errors import Refusal

TEXT = FILE.read_text(encoding="utf-8")

TWO = """\
@inproceedings{wolf2021a,
  title = {{One} of Two},
  author = {Wolf, Lior and Gur, Shir},
  series = {CVPR},
  year = {2021},
  url = {https://example.org/a},
}

@article{wolf2021b,
  title = {The Other, With a Title That
    Is Long},
  author = {Wolf, Lior and Gur, Shir},
  series = {ICCV},
  year = {2021},
  url = {https://example.org/b},
}
"""


def test_every_entry_is_read():
    assert len(papers()) == TEXT.count("\n@") + 1
    assert list(papers()) == sorted(papers())
    assert "\n\n".join(paper.bibtex for paper in papers().values()) == TEXT.strip()


@pytest.mark.parametrize("paper", papers().values(), ids=lambda paper: paper.key)
def test_an_entry_is_whole(paper):
    fields = re.findall(r"^  (\w+) = \{.*?\},$", paper.bibtex, re.DOTALL | re.MULTILINE)
    where = {"booktitle", "journal"} & set(fields)
    assert {"title", "author", "year", "url"} <= set(fields) and len(where) == 1
    assert len(fields) == paper.bibtex.count(" = ") == len(set(fields))
    assert paper.bibtex.count("{") == paper.bibtex.count("}")
    assert re.fullmatch(r"https://\S+", paper.url)
    assert paper.title == paper.title.strip() and not re.search(r"[{}\n]", paper.title)
    surname, year = re.fullmatch(r"([a-z]+)(\d{4})[a-z]*", paper.key).groups()
    assert paper.name.lower().startswith(surname) and year in paper.name


def test_no_two_papers_have_one_name():
    names = [paper.name for paper in papers().values()]
    assert len(set(names)) == len(names)


def test_names_say_who_and_when_and_where_only_if_two_are_alike():
    assert cite("qiang2022").name == "Qiang et al. 2022"
    assert cite("abnar2020").name == "Abnar & Zuidema 2020"
    assert cite("chefer2021iccv").name == "Chefer et al. 2021 (ICCV)"
    alike = parse(TWO)
    assert [paper.name for paper in alike.values()] == [
        "Wolf & Gur 2021 (CVPR)",
        "Wolf & Gur 2021 (ICCV)",
    ]
    assert [paper.title for paper in alike.values()] == [
        "One of Two",
        "The Other, With a Title That Is Long",
    ]


def test_several_are_cited_together():
    both = cite("zeiler2014, li2016")
    assert both.name == "Zeiler & Fergus 2014; Li et al. 2016"
    assert both.url == papers()["zeiler2014"].url
    assert both.bibtex == f"{papers()['zeiler2014'].bibtex}\n\n{papers()['li2016'].bibtex}"
    assert both.markdown == (
        "[Zeiler & Fergus 2014](https://arxiv.org/abs/1311.2901); "
        "[Li et al. 2016](https://arxiv.org/abs/1612.08220)"
    )


def test_a_key_that_is_not_there_is_refused_with_the_nearest():
    with pytest.raises(Refusal, match="did you mean 'qiang2022'"):
        cite("qiang2021")

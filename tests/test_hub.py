"""Models of the Hub: whatever it answers is said in one sentence, before anything is downloaded."""

import time

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo
from loading import refusal

import explainers as ex


def answer(kind, status: int):
    response = httpx.Response(
        status, request=httpx.Request("GET", "https://huggingface.co/api/models/nobody/nothing")
    )
    return kind(f"{status} Client Error. (Request ID: abc)\n\nSecond line", response=response)


REQUEST = httpx.Request("GET", "https://huggingface.co")

ANSWERS = [
    (
        httpx.ConnectError("[Errno -3] Temporary failure in name resolution", request=REQUEST),
        "cannot be reached",
    ),
    (httpx.ConnectTimeout("timed out", request=REQUEST), "cannot be reached"),
    (httpx.ReadTimeout("timed out", request=REQUEST), "cannot be reached"),
    (httpx.ProxyError("403 Forbidden", request=REQUEST), "cannot be reached"),
    (ConnectionResetError("reset"), "cannot be reached"),
    (OfflineModeIsEnabled("offline"), "cannot be reached"),
    (
        answer(RepositoryNotFoundError, 404),
        "There is no model nobody/nothing on the Hugging Face Hub",
    ),
    (answer(GatedRepoError, 403), "gated"),
    (answer(RevisionNotFoundError, 404), "has no revision"),
    (answer(HfHubHTTPError, 500), "refused nobody/nothing"),
    (answer(HfHubHTTPError, 429), "refused nobody/nothing"),
    (HFValidationError("Repo id must be ..."), "neither a bundled model"),
]


@pytest.mark.parametrize(
    "error, said",
    ANSWERS,
    ids=[type(error).__name__ + str(i) for i, (error, _) in enumerate(ANSWERS)],
)
def test_whatever_the_hub_answers_is_said_in_one_sentence_and_at_once(monkeypatch, error, said):
    def asked(*args, **kwargs):
        assert kwargs["timeout"] <= 5
        raise error

    monkeypatch.setattr(HfApi, "model_info", asked)
    started = time.monotonic()
    assert said in refusal("nobody/nothing", revision="v1")
    assert time.monotonic() - started < 5


def test_a_faraway_model_without_a_network_names_those_that_need_none(monkeypatch):
    def nobody_there(*args, **kwargs):
        raise httpx.ConnectError("no route", request=REQUEST)

    monkeypatch.setattr(HfApi, "model_info", nobody_there)
    said = refusal("nobody/nothing")
    assert all(name in said for name in ex.BUNDLED)


@pytest.mark.parametrize(
    "name", ["sentimnt", "a b c", "owner/na me", "-x", "x" * 500, "owner/name?x=1", "<b>x</b>"]
)
def test_a_name_that_is_no_hub_id_is_refused_without_asking(name, monkeypatch):
    def nobody_there(*args, **kwargs):
        raise httpx.ConnectError("no route", request=REQUEST)

    from huggingface_hub.utils import validate_repo_id

    try:
        validate_repo_id(name)
    except HFValidationError as error:
        invalid = error

        def asked(*args, **kwargs):
            raise invalid
    else:
        asked = nobody_there
    monkeypatch.setattr(HfApi, "model_info", asked)
    said = refusal(name)
    assert "sentiment" in said or "There is no folder" in said


def hub_model(gated=False, files=("config.json", "model.safetensors")) -> ModelInfo:
    siblings = [{"rfilename": name} for name in files]
    return ModelInfo(
        id="nobody/nothing", sha="0123abc", gated=gated, siblings=siblings, tags=[], downloads=0
    )


@pytest.mark.parametrize(
    "info, said",
    [
        (hub_model(gated="manual"), "gated"),
        (hub_model(files=["config.json", "pytorch_model.bin"]), "no safetensors file"),
        (hub_model(files=[]), "no safetensors file"),
    ],
    ids=["gated", "pickle", "empty"],
)
def test_a_faraway_model_that_may_not_be_read_is_refused_before_it_is_downloaded(
    monkeypatch, info, said
):
    def no_entry(*args, **kwargs):
        raise GatedRepoError("gated", response=httpx.Response(403, request=REQUEST))

    monkeypatch.setattr(HfApi, "model_info", lambda *args, **kwargs: info)
    monkeypatch.setattr(HfApi, "auth_check", no_entry)
    assert said in refusal("nobody/nothing")

"""Ask the Hugging Face Hub: ids and addresses of models, what is cached, and what is missing."""

import re
from collections.abc import Sequence
from urllib.parse import unquote

from huggingface_hub import HfApi, try_to_load_from_cache
from huggingface_hub.errors import (
    GatedRepoError,
    HfHubHTTPError,
    HFValidationError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)

from ..errors import ModelUnavailable, first_line
from .bundled import BUNDLED

#: The address of a model's page on the Hub, as a person copies it from a browser.
PAGE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?!datasets/|spaces/)"
    r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:/(?:tree|blob|resolve|commits?)/(?P<revision>[^/?#]+).*)?"
    r"/?(?:[?#].*)?",
    re.IGNORECASE,
)


def hub_id(given: str) -> str:
    """The id of the model whose page has this address; any other text as it is."""
    page = PAGE.fullmatch(given)
    return page["name"] if page else given


def hub_revision(given: object) -> str | None:
    """The revision in the address of a page of the Hub; None if there is none."""
    page = PAGE.fullmatch(str(given).strip())
    if page is None or not page["revision"]:
        return None
    return unquote(page["revision"])


def in_cache(name: str, revision: str | None, files: Sequence[str]) -> bool:
    """Whether one of these files of a Hub repository is on this machine."""
    try:
        for file in files:
            if isinstance(try_to_load_from_cache(name, file, revision=revision), str):
                return True
    except HFValidationError:
        pass  # no Hub id, so nothing is cached under it
    return False


def check_safetensors(name: str, revision: str | None) -> None:
    """Raise `ModelUnavailable` if a model cannot be downloaded, or has no safetensors file."""
    if not any(file.endswith(".safetensors") for file in hub_files(name, revision)):
        raise ModelUnavailable(
            f"{name} has no safetensors file; other formats can run code and are not read."
        )


def hub_files(name: str, revision: str | None) -> list[str]:
    """The names of the files in a Hub repository.

    Raises `ModelUnavailable` with the reason if it cannot be read. This takes at most seconds;
    `from_pretrained` tries again for half a minute when there is no network.
    """
    try:
        info = HfApi().model_info(name, revision=revision, timeout=5)
        if info.gated:
            HfApi().auth_check(name)
    except HFValidationError:
        raise ModelUnavailable(
            f"{name[:100]!r} is neither a bundled model ({', '.join(BUNDLED)}), nor a folder, nor "
            "a Hub id like owner/name."
        ) from None
    except GatedRepoError:
        raise ModelUnavailable(
            f"{name} is gated: its owner wants you to accept terms on the Hub first, then log in."
        ) from None
    except RepositoryNotFoundError:
        raise ModelUnavailable(
            f"There is no model {name} on the Hugging Face Hub (or it is private)."
        ) from None
    except RevisionNotFoundError:
        raise ModelUnavailable(f"{name} has no revision {revision}.") from None
    except HfHubHTTPError as error:
        raise ModelUnavailable(
            f"The Hugging Face Hub refused {name}: {first_line(error)}."
        ) from error
    except (OSError, OfflineModeIsEnabled) as error:
        raise offline(name) from error
    except Exception as error:
        if not is_http_error(error):
            raise
        raise offline(name) from error
    return [file.rfilename for file in info.siblings or []]


def is_http_error(error: Exception) -> bool:
    """Whether the HTTP library raised it: httpx or requests, by the release of the Hub's client."""
    module = type(error).__module__
    return "httpx" in module or "requests" in module


def offline(name: str) -> ModelUnavailable:
    """The refusal of a model that is not cached while the Hub cannot be reached."""
    return ModelUnavailable(
        f"{name} is not on this machine and the Hugging Face Hub cannot be reached. Bundled models "
        f"need no network: {', '.join(BUNDLED)}."
    )

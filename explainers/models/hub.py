"""The Hugging Face Hub: ids of models, what is on this machine, and why one cannot be had."""

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

#: The page of a model on the Hub, as it is copied from a browser.
PAGE = re.compile(
    r"(?:https?://)?(?:www\.)?(?:huggingface\.co|hf\.co)/(?!datasets/|spaces/)"
    r"(?P<name>[\w.-]+(?:/[\w.-]+)?)(?:/(?:tree|blob|resolve|commits?)/(?P<revision>[^/?#]+).*)?"
    r"/?(?:[?#].*)?",
    re.IGNORECASE,
)


def hub_id(given: str) -> str:
    """The id of a model whose page's address was given; anything else as it is."""
    page = PAGE.fullmatch(given)
    return page["name"] if page else given


def hub_revision(given) -> str | None:
    """The revision that the address of a page of the Hub names, if it names one."""
    page = PAGE.fullmatch(str(given).strip())
    return unquote(page["revision"]) if page and page["revision"] else None


def in_cache(name: str, revision: str | None, files: Sequence[str]) -> bool:
    """Whether one of these files of a Hub model is on this machine."""
    try:
        found = [try_to_load_from_cache(name, file, revision=revision) for file in files]
    except HFValidationError:
        return False
    return any(isinstance(path, str) for path in found)


def ask_hub(name: str, revision: str | None) -> None:
    """Make sure that a Hub model can be had, in safetensors; otherwise the reason, in seconds."""
    if not any(file.endswith(".safetensors") for file in look_at_hub(name, revision)):
        raise ModelUnavailable(
            f"{name} has no safetensors file; other formats can run code and are not read."
        )


def look_at_hub(name: str, revision: str | None) -> list[str]:
    """The files of a Hub repository, if it is there and open to this reader; otherwise the reason.

    Without this question `from_pretrained` retries for half a minute when there is no network.
    """
    try:
        info = HfApi().model_info(name, revision=revision, timeout=5)
        if info.gated:
            HfApi().auth_check(name)
    except HFValidationError:
        raise ModelUnavailable(
            f"{name[:100]!r} is neither a bundled model ({', '.join(BUNDLED)}), nor a folder, nor a Hub id like owner/name."
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
    except Exception as error:  # the HTTP library's own errors, whichever it is in this release of the Hub's client
        if "httpx" in type(error).__module__ or "requests" in type(error).__module__:
            raise offline(name) from error
        raise
    return [file.rfilename for file in info.siblings or []]


def offline(name: str) -> ModelUnavailable:
    return ModelUnavailable(
        f"{name} is not on this machine and the Hugging Face Hub cannot be reached. Bundled models need no network: {', '.join(BUNDLED)}."
    )

"""What a provider will not make is its own end: asked for once, named with its prompt, and no mark against the account."""

from datetime import UTC
from pathlib import Path

import pytest

from genmedia.errors import ContentRefusedError
from genmedia.journal import AttemptState, add_up
from genmedia.purchasing.buy import Outcome
from genmedia.purchasing.recover import Fate
from genmedia.sandbox.server import PROVIDERS
from genmedia.transport.refusals import prompt_of, refuses_content
from tests.buyers import Studio
from tests.sandboxes import Sandbox


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("safety_blocked", ""),
        ("SAFETY", ""),
        ("content_policy_violation", "no"),
        ("moderation_blocked", ""),
        ("", "Your request was rejected as a result of our safety system."),
        ("", "This prompt contains sensitive words that violate Google's Responsible AI practices."),
        ("", "All videos were filtered out because they violated Vertex AI's usage guidelines."),
        ("", "This generation might violate our policies. Please try a different prompt or send feedback."),
        ("", "NSFW content detected. Try running it again, or try a different prompt."),
        ("", "Your request was flagged by our content moderation system"),
        ("", "The content could not be processed because it contained material flagged by a content checker."),
        ("Content policy violation", "pick other words"),
        ("", '{"reason": "content_policy_violation"}'),
        ("", "SAFETY FILTER BLOCKED THE PROMPT"),
        ("provider_error", "Prompt was flagged"),
        ("", "The input was flagged as potentially unsafe."),
        ("PUBLIC_ERROR_UNSAFE_GENERATION", ""),
        ("", "The user prompt was blocked by moderation."),
    ],
)
def test_codes_and_words_that_refuse_content_are_known(code: str, text: str) -> None:
    assert refuses_content(code, text)


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("", ""),
        ("safety_timeout", "the safety check timed out"),
        ("model_timeout", "blocked by the safety filter for too long: timeout"),
        ("internal_error", "The safety service is unavailable."),
        ("", "content moderation could not be reached, the request was rejected by the content filter's proxy; try again later"),
        ("", "violates our content rate limit policy"),
        ("rate_limited", "This violates our usage guidelines: too many requests"),
        ("", "prompt must have at most 500 characters; it was rejected"),
        ("", "image input is not allowed for this template"),
        ("", "Content-Type application/xml is not supported"),
        ("", "a cross-site request was blocked by the Content-Security-Policy"),
        ("input_unreachable", "input_image could not be fetched"),
        ("", "the factory safety poster could not be drawn"),
        ("insufficient_credits", "blocked by moderation: no credits"),
        ("", "Your account has been blocked by our moderation team."),
        ("", "Account temporarily suspended: content policy violations."),
        ("", "Your API key was disabled: it violates our content policy."),
        ("", "This workspace is blocked by the safety team"),
        ("", "Your request was flagged by our fraud detection."),
        ("", "The request was flagged as spam"),
        ("", "Input is flagged for manual review"),
    ],
)
def test_a_reason_that_only_sounds_like_it_is_no_refusal_of_content(code: str, text: str) -> None:
    assert not refuses_content(code, text)


def test_the_prompt_is_found_wherever_a_request_has_it_and_cut_to_a_readable_length() -> None:
    assert prompt_of({"model": "imagen4", "prompt": "A\n cup"}) == "“A cup”"
    assert prompt_of({"inputs": [{"id": "a", "text": "one"}, {"file": {}}, {"id": "b", "text": "two"}]}) == "“one / two”"
    assert prompt_of({"inputs": [{"file": {"sha256": "ab"}}]}) == ""
    assert len(prompt_of({"prompt": "x" * 5000})) == 203


AT_ONCE = ("algovera", "flora", "generio", "genova")
AT_THE_END = ("flora", "generio", "genova")
"""Algovera gives no reason for a job that failed."""
EACH = [*((one, "creation") for one in AT_ONCE), *((one, "end") for one in AT_THE_END)]


@pytest.mark.parametrize(("provider", "at"), EACH)
async def test_five_refusals_of_content_hold_no_account_and_six_harmless_prompts_are_bought(
    sandbox: Sandbox, tmp_path: Path, provider: str, at: str
) -> None:
    studio = Studio(sandbox, tmp_path, provider)
    sandbox.fault(studio.account, "refused", at=at, times=5)
    good = [studio.errand(f"A red cup, number {number}") for number in range(6)]

    for number in range(5):
        bad = studio.errand(f"Something nasty, number {number}")
        if at == "creation":
            with pytest.raises(ContentRefusedError, match="Nothing was bought"):
                await studio.buy(bad)
        else:
            assert (await studio.finish(bad, await studio.buy(bad))).content_refused
    bought = [await studio.buy(one) for one in good]

    assert [one.outcome for one in bought] == [Outcome.BOUGHT] * 6
    assert [one.state for one in await studio.entries()] == [AttemptState.CONTENT_REFUSED] * 5 + [AttemptState.BOUND] * 6


@pytest.mark.parametrize(("provider", "at"), EACH)
async def test_what_was_refused_for_its_content_is_not_asked_for_again_and_its_prompt_is_named(
    sandbox: Sandbox, tmp_path: Path, provider: str, at: str
) -> None:
    studio = Studio(sandbox, tmp_path, provider)
    sandbox.fault(studio.account, "refused", at=at)
    wish = studio.errand("Something\n nasty " + "and nasty " * 40)
    told: list[str] = []

    for _ in range(2):
        try:
            await studio.finish(wish, await studio.buy(wish))
        except ContentRefusedError as error:
            told.append(str(error))

    reason = next(one.refusal[2] for one in PROVIDERS if one.name == provider).rstrip(".")
    shown = "“Something nasty and nasty" if provider != "flora" else "submission"  # FLORA is given a picture
    assert len(told) == (2 if at == "creation" else 1)
    assert all(reason in one and shown in one and len(one) < 900 for one in told), told
    assert "it was refused before, and is not asked for again" in told[-1]
    assert "Change the prompt or the inputs" in told[-1]
    assert len(sandbox.jobs(studio.account)) == (at == "end")


@pytest.mark.parametrize("provider", AT_ONCE)
async def test_another_prompt_and_another_take_are_asked_for(sandbox: Sandbox, tmp_path: Path, provider: str) -> None:
    studio = Studio(sandbox, tmp_path, provider)
    sandbox.fault(studio.account, "refused")
    wish = studio.errand("Something nasty")
    with pytest.raises(ContentRefusedError):
        await studio.buy(wish)

    other, again = await studio.buy(studio.errand("Something nice")), await studio.buy(wish, take=2)

    assert (other.outcome, again.outcome) == (Outcome.BOUGHT, Outcome.BOUGHT)


@pytest.mark.parametrize(
    ("provider", "at", "counts"),
    [(one, "creation", 0) for one in AT_ONCE] + [("flora", "end", 0), ("genova", "end", 1), ("generio", "end", None)],
)
async def test_a_refusal_counts_as_spent_only_where_the_provider_does_not_say_that_it_charged_nothing(
    sandbox: Sandbox, tmp_path: Path, provider: str, at: str, counts: float | None
) -> None:
    studio = Studio(sandbox, tmp_path, provider)
    sandbox.fault(studio.account, "refused", at=at)
    wish = studio.errand("Something nasty")
    if at == "creation":
        with pytest.raises(ContentRefusedError):
            await studio.buy(wish)
    else:
        await studio.finish(wish, await studio.buy(wish))

    (line,) = add_up(await studio.entries(), "provider", UTC)

    assert (line.counted, line.unknown) == ((0, 1) if counts is None else (counts, 0))


@pytest.mark.parametrize("provider", AT_THE_END)
async def test_recovery_tells_a_refusal_from_a_failure(sandbox: Sandbox, tmp_path: Path, provider: str) -> None:
    studio = Studio(sandbox, tmp_path, provider)
    sandbox.fault(studio.account, "refused", at="end")
    wishes = [studio.errand("Something nasty"), studio.errand("Something nice")]
    sandbox.fault(studio.account, "fail", after=1)
    for wish in wishes:
        await studio.buy(wish)

    found = await studio.harvest()

    assert [one.fate for one in found] == [Fate.REFUSED, Fate.FAILED]
    assert [one.attempt.state for one in found] == [AttemptState.CONTENT_REFUSED, AttemptState.FAILED]

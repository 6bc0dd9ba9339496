import io
import json
import re
import subprocess
from pathlib import Path

import pytest
from PIL import Image

from tests.sandbox.genova_customers import GenovaCustomer, NewGenova
from tests.sandboxes import Sandbox

EXAMPLES = Path(__file__).with_name("genova_document_examples.sh.txt").read_text()
DOCUMENTED = "https://autoflow-api.aboessa101.workers.dev"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAHklEQVR4nGM8EaXBgA0wYRUlTsIpzwhZgpEWdqABAOo3A4USHwhbAAAAAElFTkSuQmCC"


def run(genova: GenovaCustomer, command: str, folder: Path, job_id: str = "") -> str:
    for old, new in ((DOCUMENTED, genova.account["base_url"]), ("af_your_api_key_here", genova.account["api_key"])):
        assert old in command
        command = command.replace(old, new)
    done = subprocess.run(
        ["bash", "-ec", command.replace("curl ", "curl -sS ").replace("JOB_ID", job_id)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=folder,
    )
    return done.stdout


def test_the_documents_curl_examples_run_unchanged(own_sandbox: Sandbox, new_genova: NewGenova, tmp_path: Path) -> None:
    genova = new_genova(at=own_sandbox, settings={"looks": [0, 0]})
    create, poll, download = re.split(r"\n(?:# Poll status\n)?(?=curl)", EXAMPLES.strip())

    accepted = json.loads(run(genova, create, tmp_path))
    assert accepted.keys() == {"success", "jobId", "status", "queuePosition", "estimatedTime"}
    assert (accepted["success"], accepted["status"], accepted["queuePosition"]) == (True, "queued", 1)

    job = json.loads(run(genova, poll, tmp_path, accepted["jobId"]))
    assert (job["id"], job["status"]) == (accepted["jobId"], "completed")
    assert job["settings"] == {"model": "imagen4", "aspectRatio": "landscape", "count": 1}
    assert job["result_url"] == f"generated/{genova.account['user_id']}/{job['id']}/result.png"
    assert job["result_urls"] is None
    for moment in ("created_at", "started_at", "completed_at"):
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", job[moment])

    run(genova, download, tmp_path, accepted["jobId"])
    saved = (tmp_path / "result.png").read_bytes()
    assert len(saved) == job["file_size"]
    image = Image.open(io.BytesIO(saved))
    assert (image.format, image.size) == ("PNG", (256, 144))
    assert own_sandbox.leaked() == 1, "curl -L carries a header given with -H along the redirect, and the sandbox sees it"


@pytest.mark.parametrize(
    "body",
    [
        {
            "type": "image",
            "prompt": "A futuristic cityscape at sunset",
            "model": "imagen4",
            "aspectRatio": "landscape",
            "count": 2,
        },
        {"type": "video", "prompt": "A drone flyover of a coral reef", "model": "veo3_fast", "aspectRatio": "landscape"},
        {
            "type": "image",
            "prompt": "A portrait in this style",
            "model": "freepik",
            "aspectRatio": "1:1",
            "count": 4,
            "quality": "2K",
            "referenceImages": {"images": [f"data:image/png;base64,{PIXEL}"], "mode": "style"},
        },
        {
            "type": "image",
            "prompt": "A sunset over mountains",
            "model": "imagen4",
            "referenceImages": {"images": [f"data:image/png;base64,{PIXEL}", PIXEL], "mode": "ingredients"},
        },
    ],
    ids=lambda body: body["model"],
)
def test_the_documents_request_bodies_are_accepted_and_completed(new_genova: NewGenova, body: dict[str, object]) -> None:
    genova = new_genova(settings={"looks": [0, 0]})
    response = genova.http.post("/api/jobs", json=body)
    assert response.status_code == 201, response.text
    job = genova.finish(response.json()["jobId"])
    assert job["status"] == "completed", job["error_message"]
    assert len(job["result_urls"] or [job["result_url"]]) == body.get("count", 1)

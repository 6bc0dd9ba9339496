"""Reading multipart forms; the project brings no form parser and needs a single field of one."""

from dataclasses import dataclass
from email.message import Message
from email.parser import BytesHeaderParser


@dataclass(frozen=True)
class Part:
    """One field of a form: its file name and content type where stated, and its bytes."""

    filename: str | None
    content_type: str
    data: bytes


def parse_form(content_type: str, body: bytes) -> dict[str, Part]:
    """The fields of a multipart/form-data body by name (RFC 7578); empty when it is none.

    Args:
        content_type: The request's content-type header, with the boundary.
        body: The whole body.
    """
    header = Message()
    header["content-type"] = content_type
    boundary = header.get_param("boundary")
    if header.get_content_type() != "multipart/form-data" or not isinstance(boundary, str):
        return {}
    parts: dict[str, Part] = {}
    for section in (b"\r\n" + body).split(b"\r\n--" + boundary.encode())[1:]:
        head, separator, data = section.partition(b"\r\n\r\n")
        if not separator:
            continue
        headers = BytesHeaderParser().parsebytes(head.lstrip())
        name = headers.get_param("name", header="content-disposition")
        if isinstance(name, str):
            parts[name] = Part(headers.get_filename(), headers.get_content_type(), data)
    return parts

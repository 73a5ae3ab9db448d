"""Pictures, documents and sounds."""

from tests.contract.gateway.carried.feature import Feature, Json

PNG: Json = {"type": "base64", "media_type": "image/png", "data": "iVBORw0KGgo="}
PNG_URL = "data:image/png;base64,iVBORw0KGgo="
PICTURE: Json = {"type": "image", "source": PNG}
WEB_PICTURE = "https://example.com/cat.png"
PDF: Json = {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0xLjQ="}
PDF_URL = "data:application/pdf;base64,JVBERi0xLjQ="
WEB_PDF = "https://example.com/cat.pdf"
WAV: Json = {"data": "UklGRg==", "format": "wav"}


def chat(*content: Json) -> Json:
    """Return the fields of a request in which the user says this, in Chat Completions or Messages."""
    return {"messages": [{"role": "user", "content": list(content)}]}


def responses(*content: Json) -> Json:
    """Return the fields of such a request in Responses."""
    return {"input": [{"role": "user", "content": list(content)}]}


MEDIA = (
    Feature(
        "a picture in the request",
        {
            "chat": chat({"type": "image_url", "image_url": {"url": PNG_URL}}),
            "responses": responses({"type": "input_image", "image_url": PNG_URL, "detail": "auto"}),
            "messages": chat(PICTURE),
        },
        sent={
            "chat": chat({"type": "image_url", "image_url": {"url": PNG_URL}}),
            "messages": chat(PICTURE),
        },
    ),
    Feature(
        "a picture by address",
        {
            "chat": chat({"type": "image_url", "image_url": {"url": WEB_PICTURE, "detail": "low"}}),
            "responses": responses({"type": "input_image", "image_url": WEB_PICTURE, "detail": "low"}),
            "messages": chat({"type": "image", "source": {"type": "url", "url": WEB_PICTURE}}),
        },
        sent={
            "chat": chat({"type": "image_url", "image_url": {"url": WEB_PICTURE}}),
            "messages": chat({"type": "image", "source": {"type": "url", "url": WEB_PICTURE}}),
        },
    ),
    Feature(
        "a PDF in the request",
        {
            "chat": chat({"type": "file", "file": {"filename": "cat.pdf", "file_data": PDF_URL}}),
            "responses": responses({"type": "input_file", "filename": "cat.pdf", "file_data": PDF_URL}),
            "messages": chat({"type": "document", "source": PDF, "title": "cat.pdf"}),
        },
        sent={
            "chat": chat({"type": "file", "file": {"filename": "cat.pdf", "file_data": PDF_URL}}),
            "messages": chat({"type": "document", "source": PDF, "title": "cat.pdf"}),
        },
    ),
    Feature(
        "a PDF by address",
        {
            "responses": responses({"type": "input_text", "text": "read"}, {"type": "input_file", "file_url": WEB_PDF}),
            "messages": chat(
                {"type": "text", "text": "read"}, {"type": "document", "source": {"type": "url", "url": WEB_PDF}}
            ),
        },
        refused={"responses > chat alone": "input[0].content[1]", "messages": "messages[0].content[1]"},
        sent={
            "messages": chat(
                {"type": "text", "text": "read"}, {"type": "document", "source": {"type": "url", "url": WEB_PDF}}
            )
        },
    ),
    Feature(
        "a document in plain text",
        {
            "messages": chat(
                {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "meow"}}
            )
        },
        sent={"chat": {"messages": [{"role": "user", "content": [{"type": "text", "text": "meow"}]}]}},
    ),
    Feature(
        "a file of another kind",
        {
            "chat": chat({"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;base64,YQ=="}}),
            "responses": responses(
                {"type": "input_file", "filename": "a.csv", "file_data": "data:text/csv;base64,YQ=="}
            ),
        },
        refused={"chat": "messages[0].content[0]", "responses > anthropic": "input[0].content[0]"},
        sent={"chat": chat({"type": "file", "file": {"filename": "a.csv", "file_data": "data:text/csv;base64,YQ=="}})},
    ),
    Feature(
        "an uploaded file",
        {
            "chat": chat({"type": "file", "file": {"file_id": "file-1"}}),
            "responses": responses({"type": "input_file", "file_id": "file-1"}),
            "messages": chat({"type": "document", "source": {"type": "file", "file_id": "file-1"}}),
        },
        refused={
            "chat": "messages[0].content[0].file.file_id",
            "responses": "input[0].content[0].file_id",
            "messages": "messages[0].content[0].source.type",
        },
    ),
    Feature(
        "citations of a document",
        {"messages": chat({"type": "document", "source": PDF, "citations": {"enabled": True}})},
        refused={"messages": "messages[0].content[0].citations"},
    ),
    Feature(
        "sound in the request",
        {"chat": chat({"type": "input_audio", "input_audio": WAV})},
        refused={"chat": "messages[0].content[0].input_audio"},
    ),
    Feature(
        "a spoken answer",
        {"chat": {"modalities": ["text", "audio"], "audio": {"voice": "alloy", "format": "wav"}}},
        refused={"chat": "audio"},
    ),
)

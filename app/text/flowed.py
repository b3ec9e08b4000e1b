"""format=flowed (RFC 3676): lines that a mail program wrapped are joined again."""


def unflow(text: str, *, delete_space: bool) -> str:
    """Join soft-broken lines of the same quote depth; `delete_space` is the DelSp parameter."""
    out: list[str] = []
    open_depth = -1
    for raw in text.replace("\r\n", "\n").split("\n"):
        content = raw.lstrip(">")
        depth = len(raw) - len(content)
        content = content.removeprefix(" ")
        soft = content.endswith(" ") and content != "-- "
        if soft and delete_space:
            content = content[:-1]
        if open_depth == depth and content != "-- ":
            out[-1] += content
        else:
            out.append((">" * depth + " " if depth else "") + content)
        open_depth = depth if soft else -1
    return "\n".join(out)

"""What somebody wrote in a mail, without what he quotes and without his signature. Plain rules, nothing is guessed."""

import re

_ANSWERED = (
    re.compile(
        r"^\s*(On|Am|Le|El|Il|Op)\b.{4,200}\b(wrote|schrieb|a écrit|escribió|ha scritto|schreef)\b.{0,80}:?\s*$"
    ),
    re.compile(r"^\s*在.{4,200}(写道|寫道)\s*[:：]\s*$"),
    re.compile(r"^\s*.{2,120}(写道|寫道)\s*[:：]\s*$"),
    re.compile(
        r"^\s*-{2,}\s*(Original Message|Forwarded message|Ursprüngliche Nachricht|原始邮件|原始郵件)\s*-{2,}\s*$", re.I
    ),
    re.compile(r"^_{10,}\s*$"),
)
_HEADER = re.compile(r"^\s*(From|Von|De|发件人|寄件者)\s*[:：].+", re.I)
_NEXT_HEADER = re.compile(
    r"^\s*(Sent|Date|Gesendet|Datum|To|An|Subject|Betreff|发送时间|日期|收件人|主题)\s*[:：]", re.I
)
_SIGNATURE = re.compile(r"^--\s?$")
_DEVICE = re.compile(r"^\s*(Sent from my|Von meinem|Gesendet von|发自我的|從我的).{0,60}$", re.I)
LONGEST = 500


def said(text: str) -> str:
    """The new part of a mail. All of it where nothing but a quotation would be left out."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
    kept: list[str] = []
    for n, line in enumerate(lines):
        if _ends(lines, n):
            break
        if not line.lstrip().startswith(">"):
            kept.append(line.rstrip())
    found = re.sub(r"\n{3,}", "\n\n", "\n".join(kept)).strip()
    return found or text.strip()


def _ends(lines: list[str], n: int) -> bool:
    """Whether the quotation or the signature begins here."""
    line = lines[n] if _SIGNATURE.match(lines[n]) else lines[n].strip()
    if len(line) > LONGEST:  # no program writes such a line, and no rule may be slow on one that a stranger does
        return False
    if _SIGNATURE.match(line) or _DEVICE.match(line) or any(rule.match(line) for rule in _ANSWERED):
        return True
    after = lines[n + 1].strip()[:LONGEST] if n + 1 < len(lines) else ""
    if _ANSWERED[0].match(f"{line} {after}"):
        return True  # mail programs break the line "On Tuesday ... wrote:"
    following = lines[n + 1 : n + 4]
    return bool(_HEADER.match(line)) and any(_NEXT_HEADER.match(other) for other in following)

"""The words that the product comes with, as templates: by name and language, subject, text and HTML.

They are version 0; what a tenant saves is version 1 and on. `letter` and the other names are in `docs/notices.md`.
"""

from dataclasses import dataclass

NAMES = {
    "forecast": "A forecast, with an offer to come",
    "reminder": "No answer yet",
    "correction": "A notice that no longer holds",
    "false_visit": "The visit found nothing wrong",
    "reply": "A message of the dispatcher",
    "survey": "How the work was",
    "confirm": "Whether an address is right",
}
_BODY = """<div style="font-family:sans-serif;max-width:40em;line-height:1.5">
{}
</div>
"""


@dataclass(frozen=True, slots=True)
class Words:
    """A template's three parts."""

    subject: str
    text: str
    html: str


def _html(*parts: str) -> str:
    return _BODY.format("\n".join(parts))


_SIGN_EN = "{{ company }}{% if phone %}\nA person answers: {{ phone }}{% endif %}\n"
_SIGN_ZH = "{{ company }}{% if phone %}\n人工电话：{{ phone }}{% endif %}\n"
_SIGN_EN_H = "<p>{{ company }}{% if phone %}<br>A person answers: <b>{{ phone }}</b>{% endif %}</p>"
_SIGN_ZH_H = "<p>{{ company }}{% if phone %}<br>人工电话：<b>{{ phone }}</b>{% endif %}</p>"
_CHART = '{{% if chart %}}<p><img src="{{{{ chart }}}}" alt="{}" width="600" style="max-width:100%"></p>{{% endif %}}'
_OTHER = (
    '<p><a href="{{{{ link }}}}?do=propose">{}</a> · <a href="{{{{ link }}}}?do=decline">{}</a> ·'
    ' <a href="{{{{ link }}}}?do=call-me">{}</a></p>'
)
_OTHER_EN_H = _OTHER.format("Another day", "No, thank you", "Call me")
_OTHER_ZH_H = _OTHER.format("其他日期", "不需要", "请给我打电话")

BUILT_IN: dict[tuple[str, str], Words] = {
    ("forecast", "en"): Words(
        "{{ letter.title }}",
        """{{ letter.saw }}
{{ letter.may_happen }} {{ letter.remaining }}
{{ letter.by_when }}

{{ letter.propose }}
{{ letter.cost }}

When may we come?
{% for s in letter.slots %}- {{ s.words }}. {{ s.price }}
  {{ link }}?do={{ s.pick }}
{% else %}No half day is free in time: propose a day, or call us.
{% endfor %}
{{ letter.waiting }}

Another day: {{ link }}?do=propose
No, thank you: {{ link }}?do=decline
Call me: {{ link }}?do=call-me
All of it on one page: {{ link }}
A half day is booked only when you choose it. No reply is never taken as a yes.

{{ letter.record }}

""" + _SIGN_EN,
        _html(
            "<h2>{{ letter.title }}</h2><p>{{ letter.saw }}</p>",
            _CHART.format("What the machine measured, against what is usual for it"),
            "<p>{{ letter.may_happen }} {{ letter.remaining }}</p><p><b>{{ letter.by_when }}</b></p>",
            "<p>{{ letter.propose }}<br>{{ letter.cost }}</p><h3>When may we come?</h3>",
            "<ul>{% for s in letter.slots %}<li><a href='{{ link }}?do={{ s.pick }}'><b>{{ s.words }}</b></a>."
            " {{ s.price }}</li>{% else %}"
            "<li>No half day is free in time: propose a day, or call us.</li>{% endfor %}</ul>",
            "<p>{{ letter.waiting }}</p>",
            _OTHER_EN_H,
            '<p>A half day is booked only when you choose it <a href="{{ link }}">on this page</a>. No reply is never'
            " taken as a yes.</p>",
            "<p>{{ letter.record }}</p>",
            _SIGN_EN_H,
        ),
    ),
    ("forecast", "zh"): Words(
        "{{ letter.title }}",
        """{{ letter.saw }}
{{ letter.may_happen }}{{ letter.remaining }}
{{ letter.by_when }}

{{ letter.propose }}
{{ letter.cost }}

我们什么时候可以上门？
{% for s in letter.slots %}- {{ s.words }}。{{ s.price }}
  {{ link }}?do={{ s.pick }}
{% else %}近期没有空闲的半天：请提出日期，或给我们打电话。
{% endfor %}
{{ letter.waiting }}

其他日期：{{ link }}?do=propose
不需要：{{ link }}?do=decline
请给我打电话：{{ link }}?do=call-me
只有您选择之后才会预约；没有回复绝不视为同意。

{{ letter.record }}

""" + _SIGN_ZH,
        _html(
            "<h2>{{ letter.title }}</h2><p>{{ letter.saw }}</p>",
            _CHART.format("设备的测量值与平时的比较"),
            "<p>{{ letter.may_happen }}{{ letter.remaining }}</p><p><b>{{ letter.by_when }}</b></p>",
            "<p>{{ letter.propose }}<br>{{ letter.cost }}</p><h3>我们什么时候可以上门？</h3>",
            "<ul>{% for s in letter.slots %}<li><a href='{{ link }}?do={{ s.pick }}'><b>{{ s.words }}</b></a>。"
            "{{ s.price }}</li>{% else %}"
            "<li>近期没有空闲的半天：请提出日期，或给我们打电话。</li>{% endfor %}</ul>",
            "<p>{{ letter.waiting }}</p>",
            _OTHER_ZH_H,
            "<p>只有您选择之后才会预约；没有回复绝不视为同意。</p>",
            "<p>{{ letter.record }}</p>",
            _SIGN_ZH_H,
        ),
    ),
    ("reminder", "en"): Words(
        "Still open: {{ letter.title }}",
        """We have not heard from you about {{ asset }}. {{ letter.may_happen }}
{{ letter.by_when }}
{% for s in letter.slots %}- {{ s.words }}. {{ s.price }}
  {{ link }}?do={{ s.pick }}
{% endfor %}
Another day: {{ link }}?do=propose
No, thank you: {{ link }}?do=decline
Call me: {{ link }}?do=call-me

""" + _SIGN_EN,
        _html(
            "<p>We have not heard from you about {{ asset }}. {{ letter.may_happen }} <b>{{ letter.by_when }}</b></p>",
            "<ul>{% for s in letter.slots %}<li><a href='{{ link }}?do={{ s.pick }}'><b>{{ s.words }}</b></a>."
            " {{ s.price }}</li>{% endfor %}</ul>",
            _OTHER_EN_H,
            _SIGN_EN_H,
        ),
    ),
    ("reminder", "zh"): Words(
        "等待您的答复：{{ letter.title }}",
        """关于 {{ asset }}，我们还没有收到您的答复。{{ letter.may_happen }}
{{ letter.by_when }}
{% for s in letter.slots %}- {{ s.words }}。{{ s.price }}
  {{ link }}?do={{ s.pick }}
{% endfor %}
其他日期：{{ link }}?do=propose
不需要：{{ link }}?do=decline
请给我打电话：{{ link }}?do=call-me

""" + _SIGN_ZH,
        _html(
            "<p>关于 {{ asset }}，我们还没有收到您的答复。{{ letter.may_happen }}<b>{{ letter.by_when }}</b></p>",
            "<ul>{% for s in letter.slots %}<li><a href='{{ link }}?do={{ s.pick }}'><b>{{ s.words }}</b></a>。"
            "{{ s.price }}</li>{% endfor %}</ul>",
            _OTHER_ZH_H,
            _SIGN_ZH_H,
        ),
    ),
    ("correction", "en"): Words(
        "No longer holds: {{ asset }}",
        "What we wrote about {{ asset }} no longer holds: {{ why }}.\nYou need not do anything. {{ link }}\n\n"
        + _SIGN_EN,
        _html(
            '<p>What we wrote about <a href="{{ link }}">{{ asset }}</a> no longer holds: {{ why }}.</p>'
            "<p>You need not do anything.</p>",
            _SIGN_EN_H,
        ),
    ),
    ("correction", "zh"): Words(
        "更正：{{ asset }}",
        "我们此前关于 {{ asset }} 的通知不再有效（{{ why }}）。\n您无需做任何事。{{ link }}\n\n" + _SIGN_ZH,
        _html(
            '<p>我们此前关于 <a href="{{ link }}">{{ asset }}</a> 的通知不再有效（{{ why }}）。</p>',
            "<p>您无需做任何事。</p>",
            _SIGN_ZH_H,
        ),
    ),
    ("false_visit", "en"): Words(
        "We were wrong about {{ asset }}",
        """We came because our forecast spoke of a fault. The technician found nothing wrong with {{ asset }}.
{% if as_found %}As found: {{ as_found }}
{% endif %}The forecast was mistaken; it is counted as such, and the visit costs you {{ cost }}.
{{ record }}

""" + _SIGN_EN,
        _html(
            "<p>We came because our forecast spoke of a fault. The technician found nothing wrong with {{ asset }}."
            "{% if as_found %} As found: {{ as_found }}{% endif %}</p>",
            "<p>The forecast was mistaken; it is counted as such, and the visit costs you {{ cost }}.</p>",
            "<p>{{ record }}</p>",
            _SIGN_EN_H,
        ),
    ),
    ("false_visit", "zh"): Words(
        "关于 {{ asset }}，我们判断有误",
        """我们因预测到故障而上门。技术人员检查后，{{ asset }} 没有任何问题。
{% if as_found %}检查结果：{{ as_found }}
{% endif %}这次预测有误，已如实记入统计；本次上门您承担 {{ cost }}。
{{ record }}

""" + _SIGN_ZH,
        _html(
            "<p>我们因预测到故障而上门。技术人员检查后，{{ asset }} 没有任何问题。"
            "{% if as_found %}检查结果：{{ as_found }}{% endif %}</p>",
            "<p>这次预测有误，已如实记入统计；本次上门您承担 {{ cost }}。</p><p>{{ record }}</p>",
            _SIGN_ZH_H,
        ),
    ),
    ("reply", "en"): Words(
        "{{ asset }}: a message for you",
        "{{ said }}\n\n{{ author }}, " + _SIGN_EN + "Answer this mail, or write here: {{ link }}\n",
        _html(
            "<p>{% for line in said.splitlines() %}{{ line }}<br>{% endfor %}</p><p>{{ author }}</p>",
            _SIGN_EN_H,
            '<p>Answer this mail, or <a href="{{ link }}">write here</a>.</p>',
        ),
    ),
    ("reply", "zh"): Words(
        "{{ asset }}：给您的消息",
        "{{ said }}\n\n{{ author }}，" + _SIGN_ZH + "请直接回复本邮件，或在此留言：{{ link }}\n",
        _html(
            "<p>{% for line in said.splitlines() %}{{ line }}<br>{% endfor %}</p><p>{{ author }}</p>",
            _SIGN_ZH_H,
            '<p>请直接回复本邮件，或<a href="{{ link }}">在此留言</a>。</p>',
        ),
    ),
    ("survey", "en"): Words(
        "{{ asset }}: how was the work?",
        """The work at {{ asset }} is done. How was it? One page, a minute: {{ link }}

You need not answer, and we ask only this once.

""" + _SIGN_EN,
        _html(
            "<p>The work at {{ asset }} is done. How was it?</p>",
            '<p><a href="{{ link }}">Tell us</a>: one page, a minute. You need not answer, and we ask this once.</p>',
            _SIGN_EN_H,
        ),
    ),
    ("survey", "zh"): Words(
        "{{ asset }}：您对这次服务满意吗？",
        """{{ asset }} 的工作已经完成。您觉得怎么样？一页，一分钟：{{ link }}

您可以不回答；我们只问这一次。

""" + _SIGN_ZH,
        _html(
            "<p>{{ asset }} 的工作已经完成。您觉得怎么样？</p>",
            '<p><a href="{{ link }}">告诉我们</a>：一页，一分钟。您可以不回答；我们只问这一次。</p>',
            _SIGN_ZH_H,
        ),
    ),
    ("confirm", "en"): Words(
        "Is this your address?",
        """{{ customer }} asked us to write here from now on. If that is right, say so on this page: {{ link }}

If it is not, do nothing: nothing more will come. The link ends after three days.

""" + _SIGN_EN,
        _html(
            "<p>{{ customer }} asked us to write here from now on.</p>",
            '<p>If that is right, <a href="{{ link }}">say so on this page</a>. If it is not, do nothing: nothing more'
            " will come. The link ends after three days.</p>",
            _SIGN_EN_H,
        ),
    ),
    ("confirm", "zh"): Words(
        "这是您的地址吗？",
        """{{ customer }} 希望我们今后把消息发到这里。如果没错，请在此页面确认：{{ link }}

如果不是您本人，请忽略：不会再收到任何消息。链接三天后失效。

""" + _SIGN_ZH,
        _html(
            "<p>{{ customer }} 希望我们今后把消息发到这里。</p>",
            '<p>如果没错，<a href="{{ link }}">请在此页面确认</a>。如果不是您本人，请忽略：不会再收到任何消息。'
            "链接三天后失效。</p>",
            _SIGN_ZH_H,
        ),
    ),
}  # fmt: skip

"""Conversations are written as transformers writes them, by a template that gets neither at Python nor at more than its share."""

import json

import pytest
from transformers.utils.chat_template_utils import render_jinja_template

from acclimate.errors import DataError, ModelError
from acclimate.modeling.chat import LONGEST_TEMPLATE, Chat, chat_of

CHATML = """\
{%- for message in messages %}
    {%- if loop.first and message.role != 'system' %}
        {{- bos_token + 'Be brief.\\n' }}
    {%- endif %}
    {{- '<|im_start|>' + message['role'] + '\\n' }}
    {%- if message.role == 'assistant' %}{% generation %}{{ message['content'] }}<|im_end|>{% endgeneration %}{{ '\\n' }}
    {%- else %}{{ message['content'] + '<|im_end|>\\n' }}{% endif %}
{%- endfor %}
{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{% endif %}"""
ASKED = [
    ([{"role": "user", "content": "Is \u00e9 a letter? {{ 7 * 7 }}"}], "Yes."),
    ([{"role": "system", "content": "s"}, {"role": "user", "content": "q"}, {"role": "assistant", "content": "a"},
      {"role": "user", "content": "b"}], "c\nd"),
]  # fmt: skip
TOKENS = {"bos_token": "<s>"}


def test_texts_are_those_of_transformers():
    found = Chat(CHATML, TOKENS).rendered(ASKED, "here")
    for (messages, answer), (prompt, completion) in zip(ASKED, found, strict=True):
        whole = [*messages, {"role": "assistant", "content": answer}]
        for conversation, asking, written in ((messages, True, prompt), (whole, False, prompt + completion)):
            (rendered,), _ = render_jinja_template([conversation], chat_template=CHATML, add_generation_prompt=asking, **TOKENS)
            assert written == rendered
    assert found[0][0].startswith("<s>Be brief.")
    assert "{{ 7 * 7 }}" in found[0][0]
    assert found[1][1] == "c\nd<|im_end|>\n"


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ messages.__class__.__mro__ }}", "conversation 1 .*SecurityError"),
        ("{{ ''.__class__.__base__.__subclasses__() }}", "SecurityError"),
        ("{% for a in range(99999) %}{% for b in range(9999) %}{{ 'x' * 999 }}{% endfor %}{% endfor %}", "more than 1,048,576 characters"),
        ("{% set n = namespace(x='aaaaaaaa' * 999) %}{% for a in range(40) %}{% set n.x = n.x ~ n.x %}{% endfor %}{{ n.x }}", "emory"),
        ("{{ raise_exception('roles must take turns') }}", "conversation 1 .*roles must take turns"),
        ("{% for message in messages %}", "TemplateSyntaxError"),
        ("{{ messages[-1].content }}", "does not stand directly behind the prompt"),
        ("always the same", "it leaves the answer out"),
    ],
)
def test_a_template_that_cannot_be_used_is_told_and_does_no_harm(template, said):
    with pytest.raises(ModelError, match=f"here: its chat template cannot be used.*{said}"):
        Chat(template, {}).rendered(ASKED, "here")


def test_a_template_is_found_where_transformers_keeps_it(tmp_path):
    with pytest.raises(DataError, match=r"messages: the tokenizer of tiny has no chat template .*give `prompt` and `completion`"):
        chat_of(tmp_path, "tiny")
    (tmp_path / "tokenizer_config.json").write_text(
        json.dumps({"chat_template": "one", "bos_token": {"content": "<s>"}, "eos_token": None})
    )
    assert chat_of(tmp_path, "tiny") == Chat("one", {"bos_token": "<s>"})
    named = [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "two"}]
    (tmp_path / "tokenizer_config.json").write_text(json.dumps({"chat_template": named}))
    assert chat_of(tmp_path, "tiny").template == "two"
    (tmp_path / "chat_template.jinja").write_text("three")
    assert chat_of(tmp_path, "tiny").template == "three"
    (tmp_path / "chat_template.jinja").write_text("x" * (LONGEST_TEMPLATE + 1))
    with pytest.raises(ModelError, match="its chat template has 65,537 characters"):
        Chat.of(tmp_path)

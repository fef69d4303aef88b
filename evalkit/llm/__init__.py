"""Language models: one seam for a model on this machine and for any OpenAI-compatible server.

    from evalkit.llm import load_prompt, open_language_model

    model = open_language_model("openai:gpt-4.1-mini")  # OPENAI_API_KEY, OPENAI_BASE_URL
    prompt = load_prompt("rewrite")
    asked = [prompt.fill(n=5, query=query, structure="", words="") for query in queries]
    answers = model.generate(asked, schema=prompt.schema, prompt=prompt.identity)

Every answer is in the cache as soon as it is there; asking again costs nothing.
"""

from evalkit.llm.budget import BUDGET_REACHED, Budget
from evalkit.llm.cache import AnswerCache, open_cache
from evalkit.llm.messages import Answer, Counts, LanguageModel, Message, Usage, need_answers
from evalkit.llm.opening import answers_file, open_language_model
from evalkit.llm.prompting import Prompt, PromptVersion, as_data, load_prompt

__all__ = [
    "BUDGET_REACHED",
    "Answer",
    "AnswerCache",
    "Budget",
    "Counts",
    "LanguageModel",
    "Message",
    "Prompt",
    "PromptVersion",
    "Usage",
    "answers_file",
    "as_data",
    "load_prompt",
    "need_answers",
    "open_cache",
    "open_language_model",
]

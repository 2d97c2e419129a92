"""Answers kept in Redis that are never stale: docs/decisions/0004-cached-answers-carry-a-generation.md.

generation.py   which state the database is in, asked for each batch of reads     answers.py   the answers
"""

from services.events.cache.answers import AnswerCache, Key
from services.events.cache.generation import GenerationReader

__all__ = ["AnswerCache", "GenerationReader", "Key"]

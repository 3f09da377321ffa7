"""Protocols: how a model is trained, apart from which model it is."""

from study.protocols.protocol import PROTOCOLS, PhasePlan, Protocol, register
from study.protocols.resolve import resolve

__all__ = ["PROTOCOLS", "PhasePlan", "Protocol", "register", "resolve"]
